"""Every bad checkpoint is refused with one line that names file and cause. No code runs, and the process survives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import bad_pytorch_files  # noqa: F401  adds to CASES
from support.bad_files import CASES, MARKER

from contralto.errors import WeightsError
from contralto.weights.container import read

# Reads each file of a list under an audit hook, which sees every action of Python outside the interpreter.
WATCHED = """
import json, mmap, os, sys  # NumPy imports mmap with the first map
from contralto.errors import WeightsError
from contralto.weights.container import read

paths = json.load(sys.stdin)
KINDS = "open", "os.", "subprocess", "socket", "import", "exec", "compile", "pickle", "ctypes", "shutil"
seen, watching = [], False

def hook(event, arguments):
    if not watching:
        return
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    if event.startswith(KINDS):
        seen.append(event + " " + str(arguments)[:200])

sys.addaudithook(hook)
watching = True
for path in paths:
    try:
        read(path)
    except WeightsError:
        continue
    seen.append("accepted " + path)
watching = False
json.dump(seen, sys.stdout)
"""


@pytest.mark.parametrize("name", CASES)
def test_refused_in_one_line_that_names_file_and_cause(name: str, tmp_path: Path) -> None:
    path = CASES[name](tmp_path)
    with pytest.raises(WeightsError, match=CASES[name].__doc__) as caught:
        read(path)
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).isprintable()
    assert not list(tmp_path.rglob(MARKER))


def test_nothing_is_run_written_or_imported(tmp_path: Path) -> None:
    paths = []
    for name, write in CASES.items():
        (tmp_path / name).mkdir()
        paths.append(str(write(tmp_path / name)))
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run([sys.executable, "-c", WATCHED], input=json.dumps(paths), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert sorted(tmp_path.rglob("*")) == before
