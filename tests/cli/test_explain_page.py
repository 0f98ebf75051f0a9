"""The page of `contralto explain`: whole, escaped, without scripts."""

from __future__ import annotations

import re

import pytest
from support import fake_explanations
from support.fake_clip import paint
from support.page_reader import FORBIDDEN_TAGS, Reader

from contralto.cli.explain_page import card, page
from contralto.cli.explained_picture import ExplainedPicture

NASTY = '<script>alert("1")</script>&\''


@pytest.fixture
def written(tmp_path):
    path = paint(tmp_path / "<b>&.png", "red")
    texts = [f"{NASTY} dog", "dog"]
    explanations = [fake_explanations.explain(None, str(path), text, check=True) for text in texts]
    picture = ExplainedPicture(str(path), texts, explanations, [tmp_path / "1 a&b.png", tmp_path / "2.png"])
    return page([card(picture, "white")], NASTY, NASTY)


def test_it_is_whole_and_everything_is_escaped(written):
    reader = Reader(written)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & (FORBIDDEN_TAGS | {"b"})
    assert any(NASTY in text for text in reader.texts)
    assert "prefers-color-scheme: dark" in written


def test_it_loads_only_the_maps_beside_it(written):
    sources = [attributes["src"] for tag, attributes in Reader(written).tags if tag == "img"]
    assert sources[0].startswith("data:image/jpeg;base64,")
    assert sources[1:] == ["1%20a%26b.png", "2.png"]
    assert not re.search(r"https?://|url\(|@import", written)


def test_it_says_what_a_reader_needs(written):
    text = " ".join(Reader(written).texts)
    assert "saw only x 4 to 20" in text
    assert "Peak: upper" in text
    assert "Check 0.70: random weights give nearly the same order of places" in text
    assert "the only word" in text
    assert "What it is not" in text
    assert "rather than for" in text
