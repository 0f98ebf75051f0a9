"""Adapting to classes with frozen towers: the methods that are fitted to cached embeddings and features, without torch.

If the base was trained on the pictures to fit (`fold_plan.py`), `auto` takes the linear probe on features, which does
not start from the base's answers; other methods keep their defaults.
"""

from __future__ import annotations

from dataclasses import dataclass

from contralto.adaptation.choose import Choice, by_default, choose
from contralto.adaptation.curve import fit_draws
from contralto.adaptation.fold_plan import FoldPlan
from contralto.adaptation.methods import AUTO, CLASSIFIERS, FROM_SCRATCH, FittedClassifier
from contralto.adaptation.roles import RolePart
from contralto.adaptation.rows import labelled_rows
from contralto.adaptation.suspects import Suspect, suspects
from contralto.embeddings import Embeddings
from contralto.evaluation.session import Session


@dataclass(frozen=True, eq=False)
class FrozenFit:
    """A classifier, how it was chosen, the classifiers of its learning curve, and labels worth a second look."""

    classifier: FittedClassifier
    choice: Choice
    draws: list[tuple[int, list[FittedClassifier]]]
    suspects: tuple[Suspect, ...]
    fit: RolePart


def fit_frozen(session: Session, fit: RolePart, text: Embeddings, method: str, plan: FoldPlan, seed: int) -> FrozenFit:
    """Fits `method`, a name of the table or "auto". text (K, d): the unit embeddings of the classes."""
    from_scratch = method == "auto" and plan.known > 0 and plan.dealt is not None
    rows, fit = labelled_rows(session, fit, text, plan.dealt if from_scratch else plan.folds)
    if rows.folds is None:
        choice = by_default(CLASSIFIERS["kernel" if method == "auto" else method], plan.reason)
    elif method != "auto":
        choice = choose([CLASSIFIERS[method]], rows, session.progress)
    else:
        auto = [FROM_SCRATCH] if from_scratch else [CLASSIFIERS[name] for name in AUTO]
        choice = choose(auto, rows, session.progress)
    draws = fit_draws(choice, rows, fit.digests, seed, session.progress)
    return FrozenFit(choice.fit(rows), choice, draws, suspects(choice, fit), fit)
