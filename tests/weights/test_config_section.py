"""Foreign configurations as JSON: valid files, and files that are refused before their fields are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from contralto.errors import ContractError
from contralto.weights.config_section import read_json


def test_an_object_is_read_with_the_large_numbers_that_tokenizers_state(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"model_max_length": 1000000000000000019884624838656, "a": [1, "ü"]}', "utf-8")
    assert read_json(tmp_path / "x.json") == {"model_max_length": int(1e30), "a": [1, "ü"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{'a': 1}", "is not JSON"),
        (b"[1]", "is not a JSON object"),
        (b'{"a": ' + b"9" * 400 + b"}", "a number of 400 digits"),
        (b"[" * 100_000, "is not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "is not JSON"),
        ('{"a": 1}'.encode("utf-16"), "is not JSON"),
        (b'{"a": "\xff"}', "is not JSON"),
        (None, "No such file"),
    ],
)
def test_anything_else_is_one_line(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "a\nx.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ContractError, match=reason) as caught:
        read_json(path)
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).isprintable()
