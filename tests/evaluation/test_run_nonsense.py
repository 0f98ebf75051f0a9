"""Nonsense arguments of evaluate: one line each, before any work is done."""

from __future__ import annotations

import types

import pytest

import contralto

NAN = float("nan")
CLIP = types.SimpleNamespace(engine_report=None)  # which would fail if any work began

TABLE = {
    "clip": [None, "nano", 3, contralto.Clip],
    "data": [None, 3, [], {}, [3], [None], b"x", object()],
    "folder": [None, 3, "", []],
    "templates": [3, [], ["a cat"], [3], lambda label: label, [lambda label: label], b"{}"],
    "shots": [None, 3],
    "checks": [None, 3],
    "overlap": [3, [], object()],
    "threshold": [None, "x", NAN, -1, True],
    "fresh": [None, "no", 1],
    "progress": ["print", 3],
}


@pytest.mark.parametrize(("argument", "wrong"), [(a, w) for a, several in TABLE.items() for w in several])
def test_nonsense_is_one_line(argument, wrong):
    with pytest.raises(contralto.ContraltoError) as caught:
        contralto.evaluate(**{"clip": CLIP, "data": "a set"} | {argument: wrong})
    assert str(caught.value).isprintable()
    assert argument.rstrip("s") in str(caught.value)
