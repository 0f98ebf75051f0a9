"""Patterns of modules: as `re` where they are taken, refused or quick where `re` would not end."""

from __future__ import annotations

import random
import re

import pytest

from contralto.errors import WeightsError
from contralto.weights.module_pattern import compiled

NAMES = [
    f"{tower}.encoder.layers.{layer}.{part}"
    for tower in ("vision_model", "text_model", "clip.text_model")
    for layer in (0, 1, 10)
    for part in ("self_attn.q_proj", "self_attn.out_proj", "mlp.fc1")
] + ["visual_projection", "", "a", "ab", "aab"]


@pytest.mark.parametrize(
    "pattern",
    [
        "visual_projection",
        r"(.*\.)?(q_proj)$",
        r"(.*\.)?(layers.1.mlp.fc1)$",
        r".*vision_model.*(q_proj|v_proj)",
        r"^text_model\.encoder\.layers\.(0|10)\..*",
        r".*layers\.\d+\.self_attn\.(?:q|out)_proj",
        r".*layers\.[0-1]{2}\..*",
        r".*layers\.[^1]\.mlp\.fc[12]",
        r"[a-z_]+",
        r".*?fc\d$",
        r"a*b?",
        r"a{2}b",
        r"a{1,2}b{0,}",
        r"(a|ab)(b|)",
        "",
        r"\w*\.encoder\.\w+\.\d{1,2}\.mlp\.fc1",
    ],
)
def test_a_pattern_fits_what_re_fits(pattern: str) -> None:
    assert [compiled(pattern)(name) for name in NAMES] == [re.fullmatch(pattern, name) is not None for name in NAMES]


def drawn(generator: random.Random, depth: int) -> str:
    atoms = ["a", "b", ".", r"\.", "[ab]", "[^a]", r"\w", "$", "^"]
    if depth and generator.random() < 0.4:
        atom = f"({drawn(generator, depth - 1)}|{drawn(generator, depth - 1)})"
    else:
        atom = generator.choice(atoms[:7] if generator.random() < 0.9 else atoms)
    suffix = generator.choice(["", "", "*", "+", "?", "{2}", "{0,2}"]) if atom not in "$^" else ""
    return atom + suffix + (drawn(generator, depth) if generator.random() < 0.6 else "")


def test_drawn_patterns_fit_what_re_fits() -> None:
    generator, agreeing = random.Random(0), 0
    for _ in range(600):
        pattern = drawn(generator, 2)
        name = "".join(generator.choice("ab.") for _ in range(generator.randrange(6)))
        expected = re.fullmatch(pattern, name) is not None
        assert compiled(pattern)(name) is expected, (pattern, name)
        agreeing += expected
    assert 40 < agreeing < 560  # both answers occur


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*b", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b", "(|)" * 300 + "b", "((a?){16}){16}b"],
)
def test_a_pattern_that_would_keep_re_busy_for_ever_ends(pattern: str) -> None:
    assert compiled(pattern)("a" * 200) is (pattern == "(a+)+$")


@pytest.mark.parametrize(
    "pattern",
    [
        "a" * 2000, "(" * 9 + ")" * 9, "(a", "a)", "[a", "*a", "a|+", "{3}", r"(a)\1", r"\b", "\\", "(?=a)", "(?i)a",
        "(?P<n>a)", "a{17}", "a{1,99}", "[b-a]", "a**",
    ],
)  # fmt: skip
def test_other_patterns_are_refused_in_one_line(pattern: str) -> None:
    with pytest.raises(WeightsError, match=r"^the pattern .* of modules is refused: ") as caught:
        compiled(pattern)
    assert str(caught.value).isprintable()
