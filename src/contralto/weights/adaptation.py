"""An adaptation on disk: what was changed or added on top of a base model, never the base itself.

A folder of `adaptation.json` (what it is, for which base) and one safetensors file of its tensors, which
`adaptation_tensors.py` states and checks. Reading is strict, like that of a contract: an unknown field, a value of
another type, a newer version, other tensors than the method has or another sha256 are an error. A file is data: no byte
of it is executed, and no name in it leads out of the folder. Only the base is named by a path, which
`contralto.encoder.loading` reads like any model, and whose hash must be the stated one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto.architecture.codec import from_json, to_json
from contralto.errors import ContractError, WeightsError, one_line
from contralto.files import write_error_text, written_whole
from contralto.weights.adaptation_tensors import PICTURE_PROMPTS, check_settings, check_stored
from contralto.weights.checkpoint import StoredTensor, digest
from contralto.weights.tensorfile import TensorFile, parse_object, write_tensors

ADAPTATION_VERSION: Final = 1
ADAPTATION_FILE: Final = "adaptation.json"
TENSORS_FILE: Final = "adaptation.safetensors"
MAX_JSON: Final = 2**24  # bytes; the names of 20,000 classes need a tenth of it

AdaptationMethod = Literal[
    "zero-shot", "prototypes", "tip", "tip-f", "gaussian", "kernel", "probe",
    "projection", "adapter", "prompt", "lora", "full", "long",
]  # fmt: skip
CLASS_METHODS: Final = ("zero-shot", "prototypes", "tip", "tip-f", "gaussian", "kernel", "probe", "prompt")
"""The methods that are a classifier of fixed classes on top of the base. All leave the towers as they are, but for the
vectors that `prompt` may add to the picture tower: ask `StoredAdaptation.keeps_towers`."""
WEIGHT_METHODS: Final = ("projection", "lora", "full")
"""The methods that change weights of the towers, which other layouts can therefore store merged."""


@dataclass(frozen=True)
class AdaptationBase:
    """The model that was adapted: its name, the hash of its contract, and where to load it.

    source: "nano", a name that `contralto.load` takes, a path relative to the adaptation's folder, or an absolute one;
    null if only the user knows.
    """

    name: str
    contract: str
    source: str | None = None


@dataclass(frozen=True)
class TrainedOn:
    """The pictures that it was fitted to: a data set, its split, how many items, and the sha256 of their contents."""

    set: str
    split: str | None
    items: int
    sha256: str | None = None


@dataclass(frozen=True)
class AdaptationDescription:
    """The content of `adaptation.json`.

    classes: the names of each class, of which the first is its label; null where it was fitted to captions. settings:
    what the method needs to be computed (see `adaptation_tensors`), and anything else its writer wants to state.
    measured: free figures. file, sha256: of the tensors; `write` fills them in.
    """

    method: AdaptationMethod
    base: AdaptationBase
    classes: tuple[tuple[str, ...], ...] | None = None
    templates: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    file: str = TENSORS_FILE
    sha256: str = ""
    trained_on: TrainedOn | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    licence: str | None = None
    provenance: str | None = None
    adaptation: int = ADAPTATION_VERSION

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The label of each class: the first of its names."""
        return None if self.classes is None else tuple(names[0] for names in self.classes)

    def replace(self, **changes: object) -> AdaptationDescription:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """The text of `adaptation.json`."""
        stated = {"adaptation": self.adaptation} | to_json(self)
        return json.dumps(stated, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True, eq=False)
class StoredAdaptation:
    """An adaptation as it lies in a folder; `tensors` are views of its file, checked by `read`."""

    description: AdaptationDescription
    tensors: Mapping[str, StoredTensor]
    folder: Path

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor's values in float32. Raises KeyError."""
        return self.tensors[name].float32()

    @property
    def prompts_pictures(self) -> bool:
        """Whether it adds vectors to the picture tower. There is nothing between a tower with and one without them."""
        return self.description.method == "prompt" and PICTURE_PROMPTS in self.tensors

    @property
    def keeps_towers(self) -> bool:
        """Whether it is a classifier on top of the base's own towers."""
        return self.description.method in CLASS_METHODS and not self.prompts_pictures


def is_adaptation(path: str | os.PathLike[str]) -> bool:
    """Whether the path is the folder of an adaptation, or its `adaptation.json`."""
    name = os.fsdecode(path)
    named = os.path.basename(name) == ADAPTATION_FILE and os.path.isfile(name)
    return named or os.path.isfile(os.path.join(name, ADAPTATION_FILE))


def read(folder: str | os.PathLike[str]) -> StoredAdaptation:
    """Reads an adaptation and checks all of it: fields, tensors, finite numbers, sha256. Raises WeightsError."""
    path = Path(os.fsdecode(folder))
    path = path if path.name == ADAPTATION_FILE and path.is_file() else path / ADAPTATION_FILE
    where = one_line(str(path))
    description = _described(_content(path, where), where)
    file = path.parent / description.file
    if Path(os.path.realpath(file)).parent != Path(os.path.realpath(path.parent)):
        raise WeightsError(f"{where} is refused: its file {one_line(description.file, 80)!r} leads out of the folder")
    opened = TensorFile(file)
    tensors = {name: StoredTensor(tensor.dtype, opened.raw(name)) for name, tensor in opened.tensors.items()}
    check_stored(description.method, description.classes, tensors, one_line(str(file)))
    if (actual := _digest(file)) != description.sha256:
        raise WeightsError(
            f"{one_line(str(file))} is not the file that {ADAPTATION_FILE} names: its sha256 is {actual}"
        )
    return StoredAdaptation(description, tensors, path.parent)


def write(
    folder: str | os.PathLike[str], description: AdaptationDescription, tensors: Mapping[str, ArrayLike]
) -> StoredAdaptation:
    """Writes an adaptation into a folder, which is created if needed, and reads it back.

    tensors: finite numbers, exactly those of the method; float16 stays float16, other dtypes become float32. The two
    files are written whole, the tensors first; what else lies in the folder stays. Raises WeightsError.
    """
    path = Path(os.fsdecode(folder))
    stored = {name: _stored(array) for name, array in tensors.items()}
    stated = description.replace(
        file=TENSORS_FILE, sha256="0" * 64, settings=_with_floats(description.settings), adaptation=ADAPTATION_VERSION
    )
    try:
        text = stated.to_json().encode()
    except (TypeError, ValueError, RecursionError) as error:  # settings or figures that JSON cannot hold
        raise WeightsError(
            f"{one_line(str(path))}: {ADAPTATION_FILE} cannot hold {one_line(str(error), 100)}"
        ) from error
    _described(text, one_line(str(path)))
    check_stored(stated.method, stated.classes, stored, one_line(str(path)))
    try:
        path.mkdir(parents=True, exist_ok=True)
        with written_whole(path / ADAPTATION_FILE) as described, written_whole(path / TENSORS_FILE) as file:
            write_tensors(file, stored, {"format": "contralto"})
            file.flush()
            described.write(stated.replace(sha256=digest([Path(file.name)])).to_json().encode())
    except OSError as error:
        raise WeightsError(write_error_text(path, error)) from error
    return read(path)


def in_memory(description: AdaptationDescription, tensors: Mapping[str, ArrayLike]) -> StoredAdaptation:
    """The adaptation that `write` would write, without a folder, with the sha256 of its file. Raises WeightsError."""
    stored = {name: _stored(array) for name, array in tensors.items()}
    check_stored(description.method, description.classes, stored, "the adaptation")
    sha256 = hashlib.sha256(_file_content(stored)).hexdigest()
    settings = _with_floats(description.settings)
    return StoredAdaptation(description.replace(sha256=sha256, settings=settings), stored, Path())


def bytes_on_disk(adaptation: StoredAdaptation) -> int:
    """The size of the two files that `write` writes."""
    return len(adaptation.description.to_json().encode()) + len(_file_content(adaptation.tensors))


def _file_content(tensors: Mapping[str, StoredTensor]) -> bytes:
    content = io.BytesIO()
    write_tensors(content, tensors, {"format": "contralto"})
    return content.getvalue()


def _stored(given: ArrayLike) -> StoredTensor:
    array = np.asarray(given)
    if array.dtype == np.float16:
        return StoredTensor("F16", array)
    with np.errstate(over="ignore"):  # an overflow is found as a number that is not finite
        return StoredTensor("F32", array.astype(np.float32))


def _with_floats(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON: the numbers of the methods as floats, and NumPy's numbers as Python's."""
    plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in settings.items()}
    numbers = {key for key in ("temperature", "beta", "ratio") if type(plain.get(key)) is int}
    return {key: float(value) if key in numbers else value for key, value in plain.items()}


def _digest(file: Path) -> str:
    try:
        return digest([file])
    except OSError as error:
        raise WeightsError(f"{one_line(str(file))}: {error.strerror or error}") from error


def _content(path: Path, where: str) -> bytes:
    try:
        if not path.is_file():  # before it is opened: opening a pipe would wait
            raise WeightsError(f"there is no adaptation in {one_line(str(path.parent))}: it has no {ADAPTATION_FILE}")
        if (size := path.stat().st_size) > MAX_JSON:
            raise WeightsError(f"{where}: {size} bytes are refused (limit {MAX_JSON})")
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{where}: {error.strerror or error}") from error


def _described(text: bytes, where: str) -> AdaptationDescription:
    """The description in the text of `adaptation.json`, checked. Raises WeightsError."""
    value = parse_object(text, where)
    version = value.get("adaptation")
    if type(version) is not int or version < 1:
        raise WeightsError(f"{where} is no adaptation: it states no version")
    if version > ADAPTATION_VERSION:
        supported = f"this contralto reads {ADAPTATION_VERSION}: upgrade"
        raise WeightsError(f"{where} states adaptation version {one_line(str(version), 20)}; {supported}")
    for key in _unusable(value):
        raise WeightsError(f"{where}: {one_line(key, 60)!r} holds a number that is not finite, or invalid Unicode")
    try:
        description = from_json(AdaptationDescription, value, where)
    except ContractError as error:
        raise WeightsError(one_line(str(error))) from error
    _check(description, where)
    return description


def _unusable(value: dict[str, Any]) -> Iterator[str]:
    """The fields with a number that is no number in JSON, or a string that is no Unicode; at any depth."""
    waiting = list(value.items())
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, dict):
            waiting += [(key, inner) for inner in (*one, *one.values())]
        elif isinstance(one, list):
            waiting += [(key, inner) for inner in one]
        elif (isinstance(one, float) and not math.isfinite(one)) or (isinstance(one, str) and not _is_unicode(one)):
            yield key


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _check(description: AdaptationDescription, where: str) -> None:
    def require(holds: bool, rule: str) -> None:
        if not holds:
            raise WeightsError(f"{where}: {rule}")

    file, classes = description.file, description.classes
    plain = file not in ("", ".", "..") and not set(file) & set("/\\:\0") and len(file.encode()) <= 255
    require(plain, f"file must be a plain file name, got {one_line(file, 60)!r}")
    hashes = (description.sha256, description.base.contract)
    require(all(_is_hash(one) for one in hashes), "sha256 and base.contract must be sha256, 64 hexadecimal digits")
    require(description.trained_on is None or description.trained_on.items >= 0, "trained_on.items is a count")
    require(all("{}" in template for template in description.templates), "a template must contain {}")
    needs_classes = description.method in CLASS_METHODS and description.method != "zero-shot"
    require(classes is not None or not needs_classes, f"{description.method} needs classes")
    if classes is not None:
        require(len(classes) > 0, "classes is empty")
        named = all(names and all(name.strip() for name in names) for names in classes)
        require(named, "each class needs a name, and no name may be empty")
        require(description.method in CLASS_METHODS or bool(description.templates), "classes need templates")
    check_settings(description.method, description.settings, where)


def _is_hash(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
