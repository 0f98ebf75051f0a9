"""report.json and items.parquet return what was written, and no other file passes for them."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow.parquet
import pytest
from support import fabricated_outcomes as fabricated
from support.paths import REPOSITORY

import contralto
from contralto.errors import DataError, MissingExtraError
from contralto.evaluation.outcome import Figure
from contralto.evaluation.report_files import read, write

MODEL = {"name": "nano", "contract": "ab" * 32, "engine": "openvino, fp32"}


@pytest.fixture
def outcomes():
    scored = fabricated.records(n=6, seed=3)
    object.__setattr__(scored, "scores", np.arange(24, dtype=np.float32).reshape(6, 4) / 7)
    return [
        fabricated.outcome(failures={"test/3.jpg": "is truncated"}),
        fabricated.retrieval(),
        fabricated.outcome(scored, set="many", figures=(Figure("map11", math.nan, None, None, 6),)),
        fabricated.outcome(fabricated.records(n=0), variant="few-shot 1", figures=()),
    ]


def same(a, b):
    plain = ("set", "split", "task", "condition", "variant", "protocol", "classes", "failures")
    assert all(getattr(a, name) == getattr(b, name) for name in plain)
    assert repr(a.figures) == repr(b.figures)
    for name in ("key", "label", "predicted", "confidence", "rank", "direction", "text"):
        np.testing.assert_array_equal(getattr(a.records, name), getattr(b.records, name))
    assert (a.records.scores is None) == (b.records.scores is None)
    if a.records.scores is not None:
        assert b.records.scores.dtype == np.float32
        np.testing.assert_array_equal(a.records.scores, b.records.scores)


def test_what_is_read_is_what_was_written(tmp_path, outcomes):
    given = write(tmp_path, outcomes, MODEL, measured="2026-11-25")
    for report in (given, read(tmp_path)):
        assert (dict(report.model), report.measured) == (MODEL, "2026-11-25")
        assert report.version == contralto.__version__
        for written, stored in zip(outcomes, report.outcomes, strict=True):
            same(written, stored)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.parquet", "report.json"]


def test_others_can_read_the_files(tmp_path, outcomes):
    write(tmp_path, outcomes, MODEL)
    rows = pyarrow.parquet.read_table(tmp_path / "items.parquet").to_pylist()
    assert rows[2] == {
        "set": "shapes",
        "split": "test",
        "variant": "",
        "item": "test/2.jpg",
        "direction": "",
        "text": -1,
        "label": 2,
        "predicted": int(outcomes[0].records.predicted[2]),
        "rank": int(outcomes[0].records.rank[2]),
        "confidence": float(outcomes[0].records.confidence[2]),
        "scores": None,
    }
    assert len(rows) == 60 + 120 + 6
    stated = json.loads((tmp_path / "report.json").read_text())
    assert stated["outcomes"][0]["figures"][0] == vars(outcomes[0].figures[0])
    assert stated["outcomes"][2]["figures"][0]["value"] is None


def test_a_report_from_before_conditions_were_stored_has_them_all_the_same(tmp_path, outcomes):
    write(tmp_path, outcomes, MODEL)
    stated = json.loads((tmp_path / "report.json").read_text())
    for outcome in stated["outcomes"]:
        del outcome["condition"]
    (tmp_path / "report.json").write_text(json.dumps(stated))
    for written, older in zip(outcomes, read(tmp_path).outcomes, strict=True):
        same(written, older)
        assert older.condition == written.condition


def test_the_stored_report_of_nano_is_read():
    report = read(REPOSITORY / "docs/nano-report")
    kinds = {outcome.condition.kind for outcome in report.outcomes}
    assert {"plain", "templates", "corruption", "size", "negation"} <= kinds
    assert "other" not in kinds


def test_a_name_that_is_not_utf8_is_escaped(tmp_path):
    made = fabricated.records(n=1)
    made.key[0] = "caf\udce9.jpg"
    write(tmp_path, [fabricated.outcome(made, failures={"caf\udce9.jpg": "x"})], MODEL)
    stored = read(tmp_path).outcomes[0]
    assert stored.records.key[0] == "caf\\udce9.jpg"


def test_an_outcome_is_known_by_set_split_and_variant(tmp_path, outcomes):
    with pytest.raises(DataError, match="shapes test was measured twice"):
        write(tmp_path, [outcomes[0], outcomes[0]], MODEL)
    assert list(tmp_path.iterdir()) == []


def damaged(change):
    """A report whose JSON was changed by a function."""

    def apply(folder):
        stated = json.loads((folder / "report.json").read_text())
        change(stated)
        (folder / "report.json").write_text(json.dumps(stated))

    return apply


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            lambda folder: (folder / "report.json").unlink(),
            "report.json cannot be read: No such file.*--report writes it",
        ),
        (lambda folder: (folder / "report.json").write_bytes(b"{"), "is not JSON"),
        (lambda folder: (folder / "report.json").write_bytes(b"\xff\xfe"), "is not JSON"),
        (lambda folder: (folder / "report.json").write_text("[" * 100_000), "is not JSON"),
        (lambda folder: (folder / "report.json").write_text("[1]"), "is not a report of contralto"),
        (damaged(lambda stated: stated.pop("report")), "is not a report of contralto"),
        (damaged(lambda stated: stated.update(report=2)), "is version 2, written by a newer contralto"),
        (damaged(lambda stated: stated.pop("model")), "is damaged: KeyError: 'model'"),
        (damaged(lambda stated: stated["outcomes"][0]["figures"][0].update(odd=1)), "is damaged: TypeError"),
        (damaged(lambda stated: stated["outcomes"].pop()), "is damaged"),
        (damaged(lambda stated: stated["outcomes"][0]["condition"].update(kind="odd")), "'odd' is not a kind of"),
        (
            damaged(lambda stated: stated["outcomes"][0].update(records=9)),
            "126 records are stated, but the table has 186|damaged",
        ),
        (lambda folder: (folder / "items.parquet").unlink(), "items.parquet cannot be read"),
        (lambda folder: (folder / "items.parquet").write_bytes(b"PAR1"), "does not belong to the report.json"),
    ],
)
def test_a_file_that_is_not_ours_is_one_line(tmp_path, outcomes, harm, said):
    write(tmp_path, outcomes[:3], MODEL)
    harm(tmp_path)
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_files_of_two_runs_are_not_mixed(tmp_path, outcomes):
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, [fabricated.outcome(fabricated.records(seed=seed))], MODEL)
    (tmp_path / "b/items.parquet").replace(tmp_path / "a/items.parquet")
    with pytest.raises(DataError, match=r"does not belong to the report\.json next to it"):
        read(tmp_path / "a")


def test_without_pyarrow_the_extra_is_named(tmp_path, outcomes, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="storing records needs the extra 'evaluate'"):
        write(tmp_path, outcomes, MODEL)
