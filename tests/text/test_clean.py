import html
import re
import string
from typing import get_args

import ftfy
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from contralto.errors import TextError
from contralto.text.clean import Rule, clean, repair, words

ASCII = st.text(st.characters(max_codepoint=127))
EDGE = st.lists(st.sampled_from([*"\t\n\v\f\r\x1b\x1c\x1f &;#<aZ~\x7f", "&lt", "\x1b[1m", "\r\n", "amp"])).map("".join)


@given(ASCII)
def test_the_fast_path_equals_the_rule_on_ascii(text: str) -> None:
    assert clean(text, "clip") == repair(text).lower()


@given(EDGE)
def test_the_fast_path_equals_the_rule_on_its_edge(text: str) -> None:
    assert clean(text, "clip") == repair(text).lower()


@given(st.text() | ASCII | EDGE, st.sampled_from(get_args(Rule)))
def test_words_are_the_parts_of_the_clean_text(text: str, rule: Rule) -> None:
    assert " ".join(words(text, rule)) == clean(text, rule)


@given(st.text())
def test_the_rule_is_the_published_sequence(text: str) -> None:
    expected = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    assert clean(text, "clip") == regex.sub(r"\s+", " ", expected).strip().lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  A Photo\tof\r\na  CAT ", "a photo of a cat"),
        ("&amp;lt;b&amp;gt;", "<b>"),
        ("it’s ﬁne", "it's fine"),
        ("schÃ¶n, doesnâ€™t", "schön, doesn't"),
        ("a\u3000b\u2028c", "a b c"),
        ("null\x00 bell\x07", "null bell"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("", ""),
    ],
)
def test_clip_by_hand(text: str, expected: str) -> None:
    assert clean(text, "clip") == expected


@given(st.text())
def test_none_changes_nothing(text: str) -> None:
    assert clean(text, "none") == text


def test_a_character_number_without_end_is_an_error_of_ours() -> None:
    with pytest.raises(TextError, match="more than 4,300 digits"):
        clean("&#" + "9" * 5000 + ";", "clip")


@given(st.text() | ASCII)
def test_the_other_rules_by_plain_readings(text: str) -> None:
    """whitespace and canonicalize as in open_clip, siglip and lower as in transformers."""
    repaired = " ".join(regex.sub(r"\s+", " ", html.unescape(html.unescape(ftfy.fix_text(text)))).split(" ")).strip()
    assert clean(text, "whitespace") == repaired
    kept = "".join(" " if c == "_" else c for c in repaired if c == "_" or c not in string.punctuation)
    assert clean(text, "canonicalize") == " ".join(kept.lower().split())
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    assert clean(text, "siglip") == re.sub(r"\s+", " ", bare).strip()
    assert clean(text, "lower") == text.lower()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("whitespace", "A_Photo, of <a> CAT!"),
        ("canonicalize", "a photo of a cat"),
        ("siglip", "aphoto of lta gt cat"),
        ("lower", "  a_photo, of &lt;a &gt;\tcat!"),
    ],
)
def test_each_rule_by_hand(rule: Rule, expected: str) -> None:
    text = "  A_Photo, of &lt;a &gt;\tCAT!" if rule in ("siglip", "lower") else "  A_Photo, of &lt;a&gt;\tCAT!"
    assert clean(text, rule) == expected
