"""Why a name does not refer to a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from contralto.filenames import explain_missing


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://example.org/cat.jpg", "is a web address: download it first"),
        (f"https://example.org/{'a' * 300}.jpg", "is a web address: download it first"),
        ("HTTP://example.org/cat.jpg", "is a web address: download it first"),
        ("ftp://example.org/cat.jpg", "is a web address: download it first"),
        ("s3://bucket/cat.jpg", "is a URL, not a file"),
        ("file:///tmp/cat.jpg", "without file://"),
        ("-", "standard input is not read"),
        ("*.jpg", "no file matches the pattern"),
        ("pictures/cat?.jpg", "no file matches the pattern"),
        ("[ab].jpg", "no file matches the pattern"),
        ("*.png", "is a pattern"),
        ("~/cat.jpg", "is not expanded"),
        ("~me/cat.jpg", "is not expanded"),
        ("cat.jpg", None),
        ("a-b.jpg", None),
        ("--odd.jpg", None),
        ("C:/cat.jpg", None),
        ("cat~1.jpg", None),
    ],
)
def test_why_a_name_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    Path("is-here.png").touch()
    reason = explain_missing(name)
    if said is not None and "/" not in name:
        Path(name).touch()
        assert explain_missing(name) is None, "a file may be called so"
    assert reason is None if said is None else said in str(reason)
