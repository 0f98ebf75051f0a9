"""A wheel brings the recipes with it, and they are found there as well as in a checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import REPOSITORY


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What goes into a wheel, but for the compiled module."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("build")
    egg = ["egg_info", "--egg-base", str(folder)]
    command = [sys.executable, "setup.py", "-q", *egg, "build_py", "--build-lib", str(folder / "lib")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_all_files_of_the_recipes_are_in_the_package(built):
    ours = {path.relative_to(REPOSITORY) for path in (REPOSITORY / "recipes").rglob("*") if path.is_file()}
    ours = {path for path in ours if "__pycache__" not in path.parts}
    there = {path.relative_to(built / "lib/contralto") for path in (built / "lib/contralto/recipes").rglob("*.*")}
    assert there == ours


def test_a_source_distribution_has_all_that_is_needed_to_build_and_test(built):
    (sources,) = built.glob("*.egg-info/SOURCES.txt")
    listed = set(sources.read_text().splitlines())
    tests = "tests/support/small_training.py"
    for needed in ("recipes/nano_parts/card.md", "constraints.txt", "Makefile", "setup.py", tests):
        assert needed in listed
    assert not [name for name in listed if "__pycache__" in name]


def test_an_installed_contralto_finds_and_executes_its_recipes(built, tmp_path):
    pytest.importorskip("torch")
    program = """
        import json
        from contralto.train import recipe_file
        recipe = recipe_file.load(recipe_file.find("tiny"))
        nano = recipe_file.execute(recipe_file.find("nano"))
        folder = recipe_file.shipped_recipes()["tiny"].parent
        print(json.dumps([recipe.name, folder.name, nano.__file__, nano.tasks.__file__]))
    """
    program = "\n".join(line.strip() for line in program.splitlines())
    environment = os.environ | {"PYTHONPATH": str(built / "lib")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    name, folder, nano, tasks = json.loads(done.stdout)
    assert (name, folder) == ("tiny", "recipes")
    installed = built / "lib/contralto/recipes"
    assert (Path(nano), Path(tasks)) == (installed / "nano.py", installed / "nano_parts/tasks.py")
