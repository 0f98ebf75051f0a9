"""All that one adaptation tells: what its page, its JSON and its lines on the terminal are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contralto.adaptation.measure import Measured
from contralto.adaptation.suspects import Suspect
from contralto.evaluation.outcome import Outcome
from contralto.sets.data_set import DataSet
from contralto.weights.adaptation import CLASS_METHODS, AdaptationDescription


@dataclass(frozen=True, eq=False)
class AdaptationReport:
    """described: the content of adaptation.json. model: facts about the base, for the report. measured: before and
    after. why: how the method was chosen. candidates: method -> its accuracy over the folds. notes: for people.
    suspects: fitted pictures with a doubtful label. fit, data: the parts, with their pictures. seconds: of everything.
    bytes: of the adaptation's two files. prompts_pictures: whether it adds vectors to the picture tower.
    """

    described: AdaptationDescription
    model: Mapping[str, Any]
    measured: Measured
    why: str
    candidates: Mapping[str, float]
    notes: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    fit: DataSet
    data: DataSet
    seconds: float
    bytes: int
    prompts_pictures: bool = False

    @property
    def outcomes(self) -> list[Outcome]:
        """Before and after on the measured part, then before and after on each kept set."""
        measured = self.measured
        return [
            measured.zero_shot,
            measured.adapted,
            *(one for kept in measured.kept for one in (kept.before, kept.after)),
        ]

    @property
    def keeps_towers(self) -> bool:
        """Whether the towers are the base's, so that nothing is forgotten and every index of pictures stays valid."""
        return self.described.method in CLASS_METHODS and not self.prompts_pictures

    def to_json(self, out: str, page: str) -> dict[str, Any]:
        """The last line of `contralto adapt --json`."""
        verdict = self.measured.verdict
        keys = ("metric", "difference", "low", "high", "p")
        kept = [{"set": one.set} | {key: getattr(one.verdict, key) for key in keys} for one in self.measured.kept]
        stated = {"out": out, "method": self.described.method, "verdict": verdict.word}
        stated |= {key: getattr(verdict, key) for key in (*keys, "n")}
        base = {"name": self.described.base.name, "contract": self.described.base.contract}
        return stated | {"forgotten": kept, "bytes": self.bytes, "base": base, "page": page}
