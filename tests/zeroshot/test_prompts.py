"""Templates: the published sets, the user's own, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import SHARED

from contralto.errors import ContraltoError, DataError
from contralto.zeroshot import prompts

PUBLISHED = SHARED / "data/words/templates.json"


def test_every_set_states_its_source_and_holds_a_place_for_the_name():
    folder = Path(prompts.__file__).parent / "templates"
    assert {"imagenet", "imagenet-7", "photo", "satellite", "art", "text", "food101", "eurosat"} <= set(prompts.names())
    for name in prompts.names():
        loaded = prompts.templates(name)
        assert loaded
        assert all(template.count("{}") == 1 for template in loaded)
        assert len(set(loaded)) == len(loaded)
        assert json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["source"]


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="needs ../shared/data/words/templates.json")
def test_the_published_sets_are_as_published():
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert list(prompts.templates("imagenet")) == published["imagenet_80"]
    assert list(prompts.templates("imagenet-7")) == published["imagenet_7"]
    ours = {prompts.templates(name) for name in prompts.names()}
    assert {tuple(data["templates"]) for data in published["datasets"].values()} <= ours
    assert list(prompts.templates("pets")) == published["datasets"]["OxfordPets"]["templates"]
    assert set(prompts.templates("art")) <= set(published["imagenet_80"])


def test_none_is_the_bare_name():
    assert prompts.fill(prompts.templates(None), "a cat") == ["a cat"]


@given(st.text())
def test_a_name_goes_in_as_it_is(name):
    assert prompts.fill(["x {} y", "{}"], name) == [f"x {name} y", name]


def test_an_unknown_name_gets_the_closest():
    with pytest.raises(ContraltoError, match=r"'imagnet'.*imagenet"):
        prompts.templates("imagnet")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a photo of a cat"], "'a photo of a cat' has no {}"),
        ([], "no template"),
        ([3], "int"),
        ("a {}", "give a list"),
    ],
)
def test_templates_that_cannot_be_used(given, said):
    with pytest.raises(ContraltoError, match=said):
        prompts.templates(given)


def test_a_file_of_lines_or_a_json_list(tmp_path):
    lines, listed = tmp_path / "lines.txt", tmp_path / "list.json"
    lines.write_bytes("\ufeffa photo of {}\r\n\r\n  ein Bild: {} ü  \n".encode())
    listed.write_text(json.dumps(["a photo of {}", "ein Bild: {} ü"]), encoding="utf-8")
    assert prompts.read(lines) == prompts.read(str(listed)) == ("a photo of {}", "ein Bild: {} ü")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no template"),
        (b"a cat\n", "'a cat' has no"),
        (b"\xff\xfe{", "UTF-8"),
        (b'["{}",', "JSON list"),
        (b"[1]", "int"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, said):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(ContraltoError, match=said) as caught:
        prompts.read(path)
    assert "mine.txt" in str(caught.value)
    with pytest.raises(DataError, match=r"absent\.txt"):
        prompts.read(tmp_path / "absent.txt")
