"""Where the cache folder is: the first of three places that is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from contralto import cache


def test_the_first_that_is_set(monkeypatch):
    monkeypatch.setenv("CONTRALTO_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache.folder() == Path("/own")
    monkeypatch.delenv("CONTRALTO_CACHE")
    assert cache.folder() == Path("/shared/contralto")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache.folder() == Path("/home/me/.cache/contralto")


def test_a_user_without_a_home_has_a_cache_that_cannot_be_used(monkeypatch):
    for name in ("CONTRALTO_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(OSError, match="contralto"):
        cache.folder().mkdir(parents=True)
