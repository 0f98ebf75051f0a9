"""`Adaptation`: the adapted model with the verdict on it, and the folder that keeps both."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

from contralto import arguments
from contralto.adaptation.folder import folder_written_whole
from contralto.adaptation.forgetting import KeptSet
from contralto.adaptation.page import page
from contralto.adaptation.report import AdaptationReport
from contralto.adaptation.verdict import Word
from contralto.encoder import Clip
from contralto.evaluation.outcome import Figure
from contralto.evaluation.publish import PAGE_FILE, ItemPictures
from contralto.evaluation.report_files import write as write_report
from contralto.files import written_whole
from contralto.metrics import Difference
from contralto.weights import adaptation as files
from contralto.weights.adaptation import StoredAdaptation


@dataclass(frozen=True, eq=False)
class Adaptation:
    """clip: the adapted model, ready for use. stored: its tensors and description. report: all that is shown."""

    clip: Clip
    stored: StoredAdaptation
    report: AdaptationReport

    @property
    def method(self) -> str:
        """The method, chosen or given."""
        return self.stored.description.method

    @property
    def verdict(self) -> Word:
        """helped, no difference or hurt."""
        return self.report.measured.verdict.word

    @property
    def difference(self) -> Difference:
        """Adapted minus zero-shot on the same pictures, its 95% interval, and p."""
        stated = self.report.measured.verdict
        return Difference(stated.difference, stated.low, stated.high, stated.p)

    @property
    def figures(self) -> dict[str, tuple[Figure, ...]]:
        """The figures of the measured part, "zero-shot" and "adapted"."""
        measured = self.report.measured
        return {"zero-shot": measured.zero_shot.figures, "adapted": measured.adapted.figures}

    @property
    def forgotten(self) -> tuple[KeptSet, ...]:
        """The kept data sets before and after; empty if none were named."""
        return self.report.measured.kept

    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Writes the folder that `contralto.load` and `contralto compare` read, whole or not at all; returns its page.

        force: an existing folder is replaced. Raises ContraltoError; MissingExtraError without the extra `evaluate`.
        """
        target = Path(arguments.path(folder, "folder"))
        with folder_written_whole(target, force=force) as made:
            description = self.stored.description
            files.write(made, description, {name: one.array for name, one in self.stored.tensors.items()})
            write_report(made, self.report.outcomes, self.report.model, measured=datetime.date.today().isoformat())
            with written_whole(made / PAGE_FILE) as file:
                pictures = ItemPictures([(self.report.fit, ()), (self.report.data, ())])
                file.write(page(self.report, pictures).encode("utf-8", "backslashreplace"))
        return target / PAGE_FILE

    def __repr__(self) -> str:
        stated = self.report.measured.verdict
        return (
            f"<Adaptation {self.method}: {stated.word}, {stated.metric} {stated.difference:+.3f} (p = {stated.p:.3g})>"
        )
