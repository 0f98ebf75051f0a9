"""Choices of the user, and the error for points that a file leaves open."""

from __future__ import annotations

import pytest

from contralto.errors import ContraltoError
from contralto.weights.choices import Choices, missing_choice_error


def message(error: ContraltoError) -> str:
    return str(error)


def test_one_open_point_is_named_with_its_choices() -> None:
    assert message(missing_choice_error("w.pt", {"activation": ("gelu", "quickgelu")})) == (
        "w.pt leaves open: the activation. Give activation='gelu' or 'quickgelu' (--activation gelu|quickgelu)"
    )


def test_several_open_points_are_named_at_once() -> None:
    assert message(
        missing_choice_error("w.pt", {"architecture": ("ViT-B-32",), "activation": ("gelu", "quickgelu")})
    ) == (
        "w.pt leaves open: the architecture and the activation. Give architecture='ViT-B-32' (--architecture ViT-B-32)"
        " and activation='gelu' or 'quickgelu' (--activation gelu|quickgelu)"
    )


def test_a_point_without_candidates_asks_for_a_name() -> None:
    asked = "Give architecture=NAME (--architecture NAME)"
    assert message(missing_choice_error("w.pt", {"architecture": ()})) == f"w.pt leaves open: the architecture. {asked}"


def test_the_path_of_an_error_stays_on_one_line() -> None:
    assert "\n" not in message(missing_choice_error("w\n.pt", {"activation": ("gelu",)}))


def test_a_choice_may_repeat_what_a_file_states_but_a_contradiction_is_an_error_that_names_both() -> None:
    Choices(activation="gelu").agree("w.pt", activation="gelu")
    Choices().agree("w.pt", activation="gelu")
    with pytest.raises(ContraltoError, match=r"w\.pt states activation 'gelu', but activation='quickgelu' was given"):
        Choices(activation="quickgelu").agree("w.pt", activation="gelu")


@pytest.mark.parametrize(("field", "value"), [("activation", "relu"), ("activation", ""), ("image_size", 0)])
def test_a_choice_that_is_none_is_refused_at_once(field: str, value: object) -> None:
    with pytest.raises(ContraltoError, match=field):
        Choices(**{field: value})  # type: ignore[arg-type]


def test_given_are_those_not_left_out() -> None:
    assert Choices("ViT-B-32", image_size=96).given() == {"architecture": "ViT-B-32", "image_size": 96}
