"""The choice among methods on hand-made answers: one standard error, unequal classes, temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from support.adaptable import drawn_rows

from contralto.adaptation.choose import by_default, choose, picture_weights
from contralto.adaptation.methods import CLASSIFIERS, FittedClassifier, Method


@dataclass(frozen=True)
class Answers(Method):
    """A method with hand-made held-out answers: for each setting, whether each picture is right."""

    right: tuple = ()

    def held_out(self, rows):
        for setting, right in zip(self.settings, self.right, strict=True):
            label = np.eye(len(rows.text))[rows.true]
            yield setting, np.where(np.array(right)[:, None], label, np.roll(label, 1, axis=1))


def answers(name, *right):
    """right: for each setting, how many of the 100 pictures are right, from the first on; or which."""
    masks = [np.arange(100) < one if isinstance(one, int) else one for one in right]
    return Answers(name, [{"turn": i} for i in range(len(right))], {}, lambda rows, setting: None, tuple(masks))


def chosen(*methods, rows=None):
    told = []
    rows = drawn_rows((50, 50), views=1) if rows is None else rows
    choice = choose(methods, rows, lambda stage, done, total: told.append((done, total)))
    assert told == [(i + 1, len(told)) for i in range(len(told))]
    return choice


def which(right, *other):
    """The answers `right`, with those of these places turned."""
    mask = np.arange(100) < right
    mask[list(other)] ^= True
    return mask


def test_the_best_setting_of_a_method_counts_and_among_equals_the_plainest():
    choice = chosen(answers("kernel", 60, 70, 70, 65))
    assert choice.setting == {"turn": 1}
    assert [one.accuracy for one in choice.candidates] == [pytest.approx(0.7)]
    assert choice.why == "chosen by five folds of the 100 pictures to fit"


def test_settings_with_as_many_right_answers_are_equal_whichever_these_are():
    """Sums of 1 / 30 differ by rounding: the plainest has to win all the same."""
    rows, random = drawn_rows((15, 15), views=1), np.random.default_rng(0)
    masks = [random.permutation(30) < 21 for _ in range(40)]
    assert len({float((mask / 30).sum()) for mask in masks}) > 1
    assert all(chosen(answers("tip", masks[i], *masks), rows=rows).setting == {"turn": 0} for i in range(0, 40, 4))


def test_a_plainer_method_within_one_standard_error_wins():
    """3 answers are lost and 2 won: -1 with an error of sqrt(5): 2.2 points."""
    best = answers("probe", which(80))
    plainer = answers("tip", which(80, 0, 1, 2, 80, 81))
    assert chosen(plainer, best).method is plainer
    assert chosen(answers("zero-shot", which(80, 0, 1, 2, 80, 81)), plainer, best).method.name == "zero-shot"
    assert chosen(best, plainer).method is best


def test_a_plainer_method_beyond_one_standard_error_loses():
    """6 answers are lost and none won: -6 with an error of sqrt(6 - .36): 2.4 points. The error is of the paired
    difference: that of 80 of 100 would be 4 points, and of the difference of two such 5.7."""
    best = answers("probe", which(80))
    choice = chosen(answers("zero-shot", which(74)), answers("tip", which(80, *range(4))), best)
    assert choice.method is best
    assert [one.method.name for one in choice.candidates] == ["zero-shot", "tip", "probe"]
    assert choice.why == "chosen among 3 methods by five folds of the 100 pictures to fit"


def test_of_equal_methods_the_plainest_wins():
    methods = [answers(name, 70) for name in ("zero-shot", "tip", "probe")]
    assert chosen(*methods).method.name == "zero-shot"


def test_unequal_classes_count_equally():
    assert np.allclose(picture_weights(np.repeat([0, 2], [30, 10])), 1 / 40)  # three times is not yet unequal
    weights = picture_weights(np.repeat([0, 1, 3], [31, 10, 5]))
    assert np.allclose([weights[:31].sum(), weights[31:41].sum(), weights[41:].sum()], 1 / 3)
    rows = drawn_rows((90, 10), views=1)
    small = rows.true == 1
    rare = np.where(small, True, np.cumsum(~small) <= 70)  # all of the small class: 70 / 90 and 1
    common = ~small  # all of the large class
    choice = chosen(answers("tip", common), answers("probe", rare), rows=rows)
    assert choice.method.name == "probe"
    assert [one.accuracy for one in choice.candidates] == [pytest.approx(0.5), pytest.approx((70 / 90 + 1) / 2)]


def test_the_temperature_has_the_highest_likelihood_on_held_out_pictures():
    rows = drawn_rows((12, 12, 12))
    wrong = np.where(rows.picture < 5, (rows.labels + 1) % 3, rows.labels)
    rows = replace(rows, labels=wrong)
    choice = choose([CLASSIFIERS["tip"]], rows, lambda *told: None)
    logits, labels = choice.logits, rows.true

    def loss(t):
        tempered = logits / t
        return float(np.mean(np.log(np.exp(tempered).sum(axis=1)) - tempered[np.arange(len(labels)), labels]))

    around = [loss(choice.temperature * factor) for factor in (0.9, 0.98, 1, 1.02, 1.1)]
    assert min(around) == around[2]
    assert choice.fit(rows).settings["temperature"] == choice.temperature


def test_answers_that_are_all_right_state_no_temperature():
    """The likeliest would be 0, and every score 1."""
    assert chosen(answers("tip", 100)).temperature == 1.0


def test_by_default_nothing_is_chosen():
    rows = replace(drawn_rows((2, 2)), folds=None)
    choice = by_default(CLASSIFIERS["kernel"], "a reason")
    fitted = choice.fit(rows)
    assert isinstance(fitted, FittedClassifier)
    assert fitted.settings == {"strength": 10.0, "beta": 5.5, "temperature": 1.0}
    assert (choice.candidates, choice.logits) == ((), None)
    assert choice.why == "nothing was chosen, as a reason"
