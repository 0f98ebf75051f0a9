import json
from types import SimpleNamespace

import pytest
from support.fake_clip import FakeClip, paint

import contralto
from contralto.cli.main import main


@pytest.fixture
def clip(monkeypatch, tmp_path):
    """A fake model that replaces every model; its index is in the cache of the test."""
    fake = FakeClip()
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(contralto, "load", lambda *given, **options: fake, raising=False)
    return fake


@pytest.fixture
def folder(tmp_path, clip):
    """A folder with the pictures red.png, green.png and blue.png."""
    for name in ("red", "green", "blue"):
        paint(tmp_path / "p" / f"{name}.png", name)
    return tmp_path / "p"


@pytest.fixture
def cli(capsys):
    """Runs a command; returns its exit code, stdout, stderr, and the JSON objects on stdout if --json is given."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        objects = [json.loads(line) for line in out.splitlines()] if "--json" in arguments and code != 2 else None
        return SimpleNamespace(code=code, out=out, err=err, objects=objects)

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The folder of a real, small, random model."""
    pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("model") / "tiny"
    contralto.save(path, *contralto.create("tiny", seed=0))
    return path
