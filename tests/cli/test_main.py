import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from support.paths import TESTS

import contralto
from contralto.cli.main import COMMANDS
from contralto.errors import ContraltoError


def test_help_lists_every_command_and_nothing_else(cli):
    for option in ("--help", "-h"):
        result = cli(option)
        assert (result.code, result.err) == (0, "")
        indented = [line for line in result.out.splitlines() if line.startswith("  ")]
        listed = [line.split()[0] for line in indented if "contralto" not in line]
        assert listed == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_the_common_options(cli, command):
    result = cli(command, "--help")
    assert result.code == 0
    for option in ("--json", "--debug", "--quiet"):
        assert option in result.out
    assert ("--model" in result.out) == (command not in ("models", "train", "convert", "compare", "evaluate"))


def test_version(cli):
    assert cli("--version").out == f"contralto {contralto.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a command"),
        (["serch"], "did you mean search?"),
        (["docter"], "did you mean doctor?"),
        (["convert", "nano", "out"], "--to"),
        (["models", "--max-size", "big"], "must be a size such as 400MB"),
        (["classify"], "the following arguments are required"),
        (["classify", "a.jpg"], "--labels"),
        (["classify", "a.jpg", "--labels", "cat", "--top", "0"], "at least 1, got '0'"),
        (["classify", "a.jpg", "--labels", "cat", "--engine", "cuda"], "invalid choice: 'cuda'"),
        (["classify", "a.jpg", "--lab", "cat"], "unrecognized arguments: --lab cat"),
        (["embed"], "give a PICTURE, --text, or both"),
        (["search", "."], "give a QUERY, --image, or both"),
        (["search", ".", "q", "--not"], "expected one argument"),
        (["models", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_wrong_usage_is_two_lines_and_2(cli, arguments, said):
    result = cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert len(result.err.splitlines()) <= 2


def test_options_may_stand_anywhere(cli, clip, tmp_path):
    from support.fake_clip import paint

    paint(tmp_path / "p" / "a.png", "red")
    for arguments in (
        ["search", tmp_path / "p", "red", "--json"],
        ["search", "--json", "--top", "3", tmp_path / "p", "red"],
        ["search", tmp_path / "p", "--not", "blue", "--json", "red"],
    ):
        assert cli(*arguments).code == 0


def failing(monkeypatch, error):
    def load(*given, **options):
        raise error

    monkeypatch.setattr(contralto, "load", load, raising=False)


def test_an_error_is_one_line_and_1_a_traceback_only_with_debug(cli, monkeypatch):
    failing(monkeypatch, ContraltoError("what went\nwrong"))
    result = cli("info")
    assert (result.code, result.out, result.err) == (1, "", "contralto: what went\\nwrong\n")
    assert "Traceback" in cli("info", "--debug").err


def test_a_bug_is_one_line_too(cli, monkeypatch):
    failing(monkeypatch, KeyError("x"))
    result = cli("info")
    assert result.code == 1
    assert result.err == "contralto: internal error (--debug shows the traceback): KeyError: 'x'\n"


def test_ctrl_c_is_130_and_says_what_was_kept(cli, monkeypatch):
    failing(monkeypatch, KeyboardInterrupt())
    result = cli("info")
    assert (result.code, result.err) == (130, "stopped: nothing was written\n")


def test_an_unknown_model_is_1_with_the_closest_name(cli):
    result = cli("info", "nanno")
    assert (result.code, result.out) == (1, "")
    assert "nano" in result.err.replace("nanno", "")
    assert len(result.err.splitlines()) == 1


def test_help_imports_nothing_heavy_and_is_quick():
    code = """
        import sys, time
        from contralto.cli.main import main
        main(["--help"])
        heavy = {"numpy", "PIL", "torch", "openvino", "rich", "ftfy", "regex", "huggingface_hub"} & set(sys.modules)
        print(sorted(heavy), time.process_time(), file=sys.stderr)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    heavy, seconds = result.stderr.rsplit(" ", 1)
    assert heavy == "[]"
    assert float(seconds) < 0.3


def test_a_full_disk_is_one_line_and_1():
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "contralto.cli.main", "--help"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (1, "contralto: standard output: no space left on device\n")


def test_a_closed_stdout_is_one_line_and_1(cli, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    result = cli("--help")
    assert (result.code, result.err) == (1, "contralto: standard output: is closed\n")


SLOW = """
    import sys, time
    import contralto
    from support.fake_clip import FakeClip
    from contralto.cli.main import main

    class Slow(FakeClip):
        def stream_images(self, items):
            for i, result in super().stream_images(items):
                time.sleep(0.02)
                yield i, result

    contralto.load = lambda *given, **options: Slow()
    sys.exit(main())
"""


def slow(tmp_path, *arguments):
    environment = os.environ | {"CONTRALTO_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", textwrap.dedent(SLOW), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def pictures(folder, n=150):
    from support.fake_clip import paint

    for i in range(n):
        paint(folder / f"{i:03}.png", "red")
    return folder


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_within_a_second_and_what_was_done_is_kept(tmp_path, sent, code):
    folder = pictures(tmp_path / "p")
    with slow(tmp_path, "embed", folder, "--json") as process:
        process.stdout.readline()  # stdout is a pipe: a line comes once its buffer is full, so after some rows
        process.send_signal(sent)
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 8  # 1 s on a machine that is not shared
    assert process.returncode == code
    assert len(err.splitlines()) == 1
    done = int(err.split()[1])
    assert err.startswith(f"stopped: {done} of 150 new pictures are in the index")
    with slow(tmp_path, "embed", folder, "--json", "--out", tmp_path / "all.npz") as process:
        out, _ = process.communicate(timeout=60)
    assert json.loads(out.splitlines()[-1]) == {"out": str(tmp_path / "all.npz"), "rows": 150, "failed": 0}
    assert 0 < done < 150


def test_a_broken_pipe_is_silent(tmp_path):
    with slow(tmp_path, "embed", pictures(tmp_path / "p", 60), "--json") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
