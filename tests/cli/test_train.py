"""train: which recipe, how its errors are told, and what an early end says is kept."""

import json
import signal
import sys
import textwrap

import pytest

from contralto.cli.main import main
from contralto.contract import Contract

pytest.importorskip("torch")

RECIPE = """
import os, signal
import contralto
from contralto.train.recipe import Phase, Recipe, Task

def batch(step):
    {batch}
    return step

def recipe():
    task = Task("none", 1.0, batch, lambda model, batch: model.logit_scale * 0.0)
    return Recipe("mine", lambda: contralto.create("tiny"), (Phase("only", (task,), 6, lr=1e-3),), {more})
"""


@pytest.fixture
def mine(tmp_path):
    """Writes a recipe of six steps whose batch(step) begins with the given line, and gives its path."""

    def write(batch="", more=""):
        path = tmp_path / "mine.py"
        path.write_text(RECIPE.format(batch=batch, more=more))
        return path

    return write


def test_it_writes_a_model_that_loads(cli, mine, tmp_path):
    result = cli("train", mine(), "--out", tmp_path / "run", "--json", "--quiet")
    assert (result.code, result.objects, result.err) == (0, [{"out": str(tmp_path / "run")}], "")
    assert Contract.read(tmp_path / "run").weights is not None


def test_the_recipes_that_come_with_it_are_listed(cli):
    result = cli("train", "--list", "--json")
    assert [one["recipe"] for one in result.objects] == ["nano", "tiny"]
    assert all(one["about"].endswith(".") for one in result.objects)
    assert "tiny" in cli("train", "--list").out


def test_no_recipe_is_wrong_usage(cli):
    result = cli("train")
    assert (result.code, result.out) == (2, "")
    assert "give a RECIPE, or --list" in result.err


def test_without_the_extra_it_is_named_but_the_list_is_shown(cli, mine, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("checkpoint", "loop"):
        monkeypatch.delitem(sys.modules, f"contralto.train.{name}", raising=False)
        monkeypatch.delattr(f"contralto.train.{name}", raising=False)
    assert cli("train", "--list").code == 0
    result = cli("train", mine())
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert "pip install 'contralto[train]'" in result.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "mine.py: there is no such recipe file"),
        ("x = 1", "mine.py: has no function recipe()"),
        ("def recipe(:", "mine.py:1: SyntaxError: "),
        ("\nimport no_such_module", "mine.py:2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def recipe():\n    return 3", "mine.py: recipe() returned a int, not a Recipe"),
        ("def recipe():\n    return {}['a']", "mine.py:2: KeyError: 'a'"),
    ],
)
def test_a_recipe_that_is_none_is_one_line(cli, tmp_path, content, said):
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    result = cli("train", path, "--out", tmp_path / "run")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert said in result.err
    assert not (tmp_path / "run").exists()


def test_debug_shows_the_traceback_of_a_recipe(cli, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import no_such_module")
    result = cli("train", path, "--debug")
    assert result.code == 1
    assert "Traceback" in result.err
    assert "import no_such_module" in result.err


@pytest.mark.parametrize(
    ("batch", "more", "said"),
    [
        ("assert step < 4, 'no more'", "", "mine.py:7: AssertionError: no more"),
        ("if step == 4: raise SystemExit('enough')", "", "mine.py:7: SystemExit: enough"),
        ("", "finish=lambda model, contract, out: 1 / 0", "mine.py:12: ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_of_the_recipe_during_the_run_names_its_line(cli, mine, tmp_path, batch, more, said):
    result = cli("train", mine(batch, more), "--out", tmp_path / "run")
    assert result.code == 1
    assert said in result.err.splitlines()[-1]
    assert (tmp_path / "run/checkpoint.pt").exists()


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_keeps_what_was_trained_and_says_so(cli, mine, tmp_path, number, code):
    out = tmp_path / "run"
    path = mine(
        f"if step == 3 and not os.path.exists({str(out / 'checkpoint.pt')!r}): os.kill(os.getpid(), {number:d})"
    )
    result = cli("train", path, "--out", out)
    assert result.code == code
    assert "saved after step 4 of 6" in result.err
    assert result.err.splitlines()[-1] == f"stopped: the checkpoint is in {out}"
    assert cli("train", path, "--out", out).code == 0
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_before_the_first_step_says_that_nothing_is_kept(cli, mine, tmp_path, number, code):
    more = f"validate=lambda m, c: os.kill(os.getpid(), {number:d}) or {{}}, validate_every=3"
    result = cli("train", mine("", more), "--out", tmp_path / "run")
    assert result.code == code
    assert result.err == "stopped: no checkpoint was saved\n"


def test_a_signal_while_the_recipe_is_read_says_so_too(cli, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        textwrap.dedent(f"""
        import os
        def recipe():
            os.kill(os.getpid(), {signal.SIGTERM:d})
    """)
    )
    result = cli("train", path)
    assert (result.code, len(result.err.splitlines())) == (143, 1)
    assert "checkpoint is in" not in result.err


def test_the_name_of_a_recipe_is_enough(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "tinny"]) == 1
    assert "did you mean tiny?" in capsys.readouterr().err
