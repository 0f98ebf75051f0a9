"""The mean of several adaptations of one base, as an adaptation of its own (model soup)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from contralto import arguments
from contralto.encoder.base_of import located
from contralto.encoder.clip import Clip
from contralto.encoder.loading import load
from contralto.errors import ContraltoError, WeightsError, one_line
from contralto.files import require_folder
from contralto.weights import adaptation
from contralto.weights.adaptation import AdaptationDescription, StoredAdaptation
from contralto.weights.averaging import mean

DECISIVE: Final = ("beta", "input", "ratio", "zero_shot")  # settings of the formulas, which all must share


def soup(out: str | os.PathLike[str], folders: Sequence[str | os.PathLike[str]]) -> Clip:
    """The mean of the adaptations in these folders, written to the folder `out` and loaded.

    Weights: the mean of the changes (uniform soup, Wortsman et al. 2022); of `lora` the mean of B A. Classifiers: the
    mean of the logits, or, for `prototypes`, of the rows. Its figures were not measured, so it states none. All must
    have one base, method, classes and templates.

    Raises ContraltoError for no folder, for adaptations that differ in these, for a method whose mean means nothing
    (`adapter`, `long`), and if `out` holds an adaptation already; WeightsError for a folder that cannot be read.
    """
    target = Path(arguments.path(out, "out"))
    if isinstance(folders, str | bytes | os.PathLike):
        raise ContraltoError(f"folders must be a list of folders, got one: give [{arguments.shown(folders)}]")
    paths = [arguments.path(folder, "folders", "a list of folders") for folder in folders]
    if not paths:
        raise ContraltoError("folders is empty: a soup needs at least one adaptation")
    if adaptation.is_adaptation(target):
        raise ContraltoError(f"{one_line(str(target), 200)} holds an adaptation already: choose another folder")
    require_folder(target)
    several = [adaptation.read(path) for path in paths]
    for other in several[1:]:
        _check_alike(several[0], other)
    adaptation.write(target, _description(several, target), mean(several))
    return load(target)


def _check_alike(one: StoredAdaptation, other: StoredAdaptation) -> None:
    a, b = one.description, other.description
    pairs: list[tuple[str, Any, Any]] = [
        ("methods", a.method, b.method),
        ("bases", f"{a.base.name} ({a.base.contract[:12]})", f"{b.base.name} ({b.base.contract[:12]})"),
        ("classes", a.classes, b.classes),
        ("templates", a.templates, b.templates),
        *((f"settings of {name}", a.settings.get(name), b.settings.get(name)) for name in DECISIVE),
    ]
    for what, ours, theirs in pairs:
        if ours != theirs:
            named = " and ".join(one_line(str(stored.folder), 100) for stored in (one, other))
            shown = f"{arguments.shown(ours)} and {arguments.shown(theirs)}"
            raise WeightsError(f"{named} have other {what}, so they have no mean: {shown}")


def _description(several: Sequence[StoredAdaptation], target: Path) -> AdaptationDescription:
    """What all share; the temperature is the mean, as the scores of a soup were fitted nowhere."""
    stated = [one.description for one in several]
    first = stated[0]
    base = _moved(several[0], target)
    if len(several) == 1:
        return first.replace(base=base)
    shared = {
        name: value
        for name, value in first.settings.items()
        if all(name in one.settings and one.settings[name] == value for one in stated)
    }
    temperatures = [one.settings.get("temperature", 1.0) for one in stated]
    if any(temperature != 1 for temperature in temperatures):
        shared["temperature"] = sum(temperatures) / len(temperatures)
    licences = dict.fromkeys(one.licence for one in stated)
    return first.replace(
        base=base,
        settings=shared,
        trained_on=first.trained_on if all(one.trained_on == first.trained_on for one in stated) else None,
        measured={},
        licence=None if None in licences else " AND ".join(str(one) for one in licences),
        provenance=f"the mean of {', '.join(one.sha256[:16] for one in stated)}",
    )


def _moved(stored: StoredAdaptation, target: Path) -> adaptation.AdaptationBase:
    """The base as seen from the target's folder."""
    base = stored.description.base
    where = located(base.source or base.name, stored.folder)
    if not isinstance(where, Path) or Path(base.source or base.name).is_absolute():
        return base
    return adaptation.AdaptationBase(base.name, base.contract, os.path.relpath(where, target))
