import json
from types import SimpleNamespace

import pytest
from support.fake_clip import FakeClip

import contralto
from contralto.cli.main import main


@pytest.fixture
def clip(monkeypatch, tmp_path):
    """The fake model in place of every other; the index in a folder of its own."""
    fake = FakeClip()
    monkeypatch.setenv("CONTRALTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(contralto, "load", lambda *given, **options: fake, raising=False)
    return fake


@pytest.fixture
def cli(capsys):
    """Runs a command; gives its exit code, stdout, stderr, and the JSON objects of stdout if --json was given."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        objects = [json.loads(line) for line in out.splitlines()] if "--json" in arguments and code != 2 else None
        return SimpleNamespace(code=code, out=out, err=err, objects=objects)

    return run
