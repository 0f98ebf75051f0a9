"""`contralto adapt`: its records and lines, its exit codes, and that nothing is left of what did not end well."""

from __future__ import annotations

import json
import shutil

import pytest
from support.adaptable import measure_little, write_captions, write_folders
from support.small_tuning import contract, small_clip

from contralto.adaptation import choose
from contralto.evaluation.store import Store
from contralto.sets.open import open_set
from contralto.weights import training_pictures

PROMISED = [
    "out",
    "method",
    "verdict",
    "metric",
    "difference",
    "low",
    "high",
    "p",
    "n",
    "forgotten",
    "bytes",
    "base",
    "page",
]
FORGOTTEN = ["set", "metric", "difference", "low", "high", "p"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a small random model."""
    pytest.importorskip("torch")
    return small_clip(tmp_path_factory.mktemp("model") / "small", contract(context=32)).checkpoint.folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("sets") / "colours", {"train": 8, "test": 10})


@pytest.fixture(autouse=True)
def little_to_measure(monkeypatch):
    measure_little(monkeypatch)


@pytest.fixture
def adapt(cli, model, tmp_path):
    """Runs the command with the small model; out is tmp_path / "mine"."""

    def run(data, *options, model=model):
        return cli("adapt", data, "--out", tmp_path / "mine", "--model", model, "--engine", "eager", *options)

    return run


def test_json_has_the_rows_before_and_after_then_the_promised_summary(adapt, colours, tmp_path):
    done = adapt(colours, "--json")
    assert (done.code, done.err) == (0, "")
    *rows, last = done.objects
    variants = [one["protocol"]["variant"] for one in rows]
    half = variants.index("adapted")
    assert set(variants[:half]) == {"zero-shot"}
    assert set(variants[half:]) == {"adapted"}
    assert all(list(one) == ["set", "split", "metric", "value", "low", "high", "n", "protocol"] for one in rows)
    assert list(last) == PROMISED
    before, after = (next(one for one in some if one["metric"] == "top1") for some in (rows[:half], rows[half:]))
    assert last["difference"] == pytest.approx(after["value"] - before["value"])
    assert last["low"] <= last["difference"] <= last["high"]
    assert (last["verdict"], last["metric"], last["n"], last["forgotten"]) == ("helped", "top1", 30, [])
    assert last["p"] < 0.05
    assert after["protocol"]["adaptation"]["method"] == last["method"]
    assert after["protocol"]["adaptation"]["chosen"].startswith("chosen among 6 methods by five folds")
    out = tmp_path / "mine"
    assert (last["out"], last["page"]) == (str(out), str(out / "index.html"))
    assert last["bytes"] == sum((out / name).stat().st_size for name in ("adaptation.json", "adaptation.safetensors"))
    described = json.loads((out / "adaptation.json").read_text())
    assert last["base"] == {name: described["base"][name] for name in ("name", "contract")}


def test_kept_sets_have_rows_and_entries_of_their_own(adapt, colours, tmp_path):
    other = write_folders(tmp_path / "elsewhere", {"test": 4})
    done = adapt(colours, "--method", "projection", "--keep", other, "--json")
    *rows, last = done.objects
    order = list(dict.fromkeys((one["set"], one["protocol"]["variant"]) for one in rows))
    assert order == [(name, variant) for name in ("colours", "elsewhere") for variant in ("zero-shot", "adapted")]
    (kept,) = last["forgotten"]
    assert list(kept) == FORGOTTEN
    assert (kept["set"], kept["metric"]) == ("elsewhere", "top1")


def test_people_read_what_it_brought_and_how_to_use_it(adapt, cli, colours, tmp_path):
    done = adapt(colours)
    lines = done.out.splitlines()
    assert [line.split("  ")[0] for line in lines[:5]] == ["zero-shot", "adapted", "difference", "forgotten", "more"]
    assert lines[0].endswith("30 pictures of test, looked at once")
    assert "chosen among 6 methods by five folds of the 24 pictures to fit" in lines[1]
    assert "helped (p = 0.00" in lines[2]
    assert "nothing: the towers are untouched" in lines[3]
    assert lines[-2].startswith(f"{tmp_path / 'mine'}: ")
    assert lines[-2].endswith(f"kB on top of small; {tmp_path / 'mine' / 'index.html'}")
    assert lines[-1] == f"use it: contralto classify PICTURE --model {tmp_path / 'mine'}"
    picture = open_set(colours).items[0].picture
    used = cli("classify", picture, "--model", tmp_path / "mine", "--engine", "eager", "--json")
    assert used.code == 0
    assert "blue" in used.out


def test_no_difference_is_no_failure_and_says_what_could_have_shown(adapt, colours):
    done = adapt(colours, "--method", "zero-shot")
    assert done.code == 0
    assert "no difference (p = 1)" in done.out
    assert "20.0 points" in done.out.splitlines()[3]  # 6 of 30 pictures


def test_changed_towers_say_what_they_cost(adapt, colours, tmp_path):
    other = write_folders(tmp_path / "elsewhere", {"test": 4})
    done = adapt(colours, "--method", "projection", "--keep", other)
    lines = [line.split("  ")[0] for line in done.out.splitlines()]
    assert "unchanged" in lines
    assert any(line.startswith("forgotten") and " elsewhere: " in line for line in done.out.splitlines())


def test_captions_are_for_search(adapt, tmp_path):
    done = adapt(write_captions(tmp_path / "captioned", {"train": 9, "test": 6}), "--method", "adapter")
    assert done.code == 0
    assert done.out.splitlines()[0].endswith("6 pictures with captions of test, looked at once")
    assert done.out.splitlines()[-1].startswith("use it: contralto search FOLDER QUERY --model ")


def test_an_existing_folder_is_replaced_by_force_alone(adapt, colours, tmp_path):
    assert adapt(colours, "--method", "tip").code == 0
    former = (tmp_path / "mine" / "adaptation.json").read_bytes()
    again = adapt(colours, "--method", "prototypes")
    assert (again.code, again.out) == (1, "")
    assert f"{tmp_path / 'mine'} exists: give another folder, or --force to replace it" in again.err
    assert (tmp_path / "mine" / "adaptation.json").read_bytes() == former
    assert adapt(colours, "--method", "prototypes", "--force").code == 0
    assert json.loads((tmp_path / "mine" / "adaptation.json").read_text())["method"] == "prototypes"
    assert [one.name for one in tmp_path.iterdir() if "mine" in one.name] == ["mine"]


def test_two_adaptations_can_be_compared(adapt, cli, colours, tmp_path):
    adapt(colours, "--method", "zero-shot")
    shutil.move(tmp_path / "mine", tmp_path / "other")
    adapt(colours, "--method", "kernel")
    done = cli("compare", tmp_path / "mine", tmp_path / "other", "--json")
    assert done.code == 0
    rows = {(one["variant"], one["metric"]): one for one in done.objects}
    assert rows["zero-shot", "top1"]["difference"] == 0
    assert rows["adapted", "top1"]["difference"] > 0


def test_a_base_that_knows_the_pictures_is_noted(adapt, model, colours, tmp_path):
    copy = shutil.copytree(model, tmp_path / "knowing")
    training_pictures.write(copy, [item.digest() for item in open_set(colours).other("train").items])
    done = adapt(colours, "--json", model=copy)
    assert done.objects[-1]["method"] == "probe"
    assert done.err.startswith("note: small was trained on 24 of the pictures to fit")
    assert adapt(colours, "--force", "--quiet", model=copy).err == ""


def test_options_reach_the_fit(adapt, colours, tmp_path):
    (tmp_path / "names.txt").write_text("azure\nlime\ncrimson\n")
    options = ("--method", "kernel", "--shots", 2, "--seed", 5, "--classes", f"@{tmp_path / 'names.txt'}")
    assert adapt(colours, *options, "--templates", "none").code == 0
    described = json.loads((tmp_path / "mine" / "adaptation.json").read_text())
    assert described["classes"] == [["azure"], ["lime"], ["crimson"]]
    assert described["templates"] == ["{}"]
    assert described["trained_on"]["items"] == 6


def test_torch_methods_take_steps_and_soups(adapt, colours, tmp_path):
    done = adapt(colours, "--method", "lora", "--steps", 1, "--soup", 2, "--json")
    assert done.code == 0
    settings = json.loads((tmp_path / "mine" / "adaptation.json").read_text())["settings"]
    assert (settings["soup"], settings["steps"]) == (2, [1, 1])


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--method", "best"), 2, "invalid choice: 'best'"),
        (("--shots", "0"), 2, "--shots"),
        (("--classes", "names.txt"), 2, "--classes takes a file: @FILE"),
        (("--steps", "5"), 1, "steps and soup are of methods that train towers"),
        (("--method", "long"), 1, "long is not for classes"),
        (("--keep", "no/such"), 1, "no/such"),
        (("--model", "no/such"), 1, "no/such"),
        (("--seed", "-1"), 1, "seed must be a whole number of at least 0"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work_and_leaves_nothing(adapt, colours, tmp_path, options, code, said):
    done = adapt(colours, *options)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


def test_missing_data_is_one_line(adapt, tmp_path):
    done = adapt(tmp_path / "none")
    assert (done.code, len(done.err.splitlines())) == (1, 1)


def test_ctrl_c_leaves_nothing_and_says_that_the_work_is_kept(adapt, colours, tmp_path, monkeypatch):
    def stops(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(choose, "_candidate", stops)
        done = adapt(colours)
    assert (done.code, done.out) == (130, "")
    assert done.err == "stopped: embeddings and training are cached; run the same command to continue\n"
    assert not list(tmp_path.iterdir())
    put = []
    monkeypatch.setattr(Store, "put", lambda self, kind, digest, value: put.append(kind))
    adapt(colours, "--method", "kernel")
    assert set(put) == {"image"}  # of the measured pictures alone, which were not looked at before
    assert len(put) == 30
