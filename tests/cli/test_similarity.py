"""`contralto similarity`: one cosine per pair."""

from __future__ import annotations

import numpy as np


def test_similarity_is_an_object_a_pair(cli, folder, clip):
    result = cli("similarity", folder / "red.png", folder / "green.png", "--text", "red", "green", "--json")
    pairs = [(one["path"], one["text"]) for one in result.objects]
    assert pairs == [(str(folder / p), t) for p in ("red.png", "green.png") for t in ("red", "green")]
    cosines = np.array([one["cosine"] for one in result.objects]).reshape(2, 2)
    rows = clip.encode_image([str(folder / "red.png"), str(folder / "green.png")])
    np.testing.assert_allclose(cosines, rows @ clip.encode_text(["red", "green"]).T, atol=1e-6)
    assert cli("similarity", folder / "red.png", "--text", "red").out.splitlines()[1].split() == ["1.000", "red"]
