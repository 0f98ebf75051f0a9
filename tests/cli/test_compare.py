"""`contralto compare`: the fields promised, what is refused, and what people read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import fabricated_outcomes as fabricated

from contralto.evaluation.condition import Condition
from contralto.evaluation.report_files import write


@pytest.fixture
def folders(tmp_path):
    """Two reports: one set measured alike, one with another split, one that only the first has."""
    for name, skill in (("a", 3.0), ("b", 1.0)):
        (tmp_path / name).mkdir()
        made = fabricated.outcome(fabricated.records(n=300, seed=len(name), skill=skill))
        other = replace(made, set="other", protocol={"split_sha256": name}, figures=made.figures[:1])
        alone = [replace(made, condition=Condition("linear_probe"))] if name == "a" else []
        probed = replace(made, protocol={**made.protocol, "templates": [name]})
        write(tmp_path / name, [probed, other, *alone], {"name": f"model-{name}"})
    return tmp_path / "a", tmp_path / "b"


def test_json_has_the_promised_fields(cli, folders):
    done = cli("compare", *folders, "--json")
    assert done.code == 3
    assert [one["metric"] for one in done.objects] == ["top1", "mean_per_class"]
    first = done.objects[0]
    fields = ["set", "split", "variant", "metric", "a", "b", "difference", "low", "high", "p", "p_holm", "n"]
    assert list(first) == fields
    assert (first["set"], first["split"], first["variant"], first["n"]) == ("shapes", "test", "", 300)
    assert first["difference"] == pytest.approx(first["a"] - first["b"])
    assert 0 < first["low"] < first["difference"] < first["high"]
    assert first["p"] <= first["p_holm"] < 0.01
    said = done.err.splitlines()
    assert '{"path": "other test top1", "error": "the splits differ (another hash)"}' in said
    assert "note: shapes test: the protocols differ in templates" in said
    assert "note: 1 of the outcomes are in only one of the two reports" in said


def test_people_read_a_table(cli, folders):
    done = cli("compare", *folders)
    assert done.code == 3
    assert done.out.splitlines()[:2] == ["a: model-a", "b: model-b"]
    row = next(line for line in done.out.splitlines() if line.startswith("shapes test top1"))
    assert "<0.0001" in row
    assert "[+" in row
    assert "other test top1: the splits differ" in done.err


def test_alike_is_0_and_nothing_in_common_is_1(cli, folders, tmp_path):
    assert cli("compare", folders[0], folders[0]).code == 0
    (tmp_path / "c").mkdir()
    write(tmp_path / "c", [fabricated.outcome(set="elsewhere")], {"name": "c"})
    done = cli("compare", folders[0], tmp_path / "c")
    assert (done.code, done.out) == (1, "")
    assert "have no figure in common: measure both models on the same data sets" in done.err


def test_a_folder_without_a_report_is_one_line(cli, folders, tmp_path):
    done = cli("compare", folders[0], tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "report.json cannot be read: No such file" in done.err


def test_two_folders_are_needed(cli, folders):
    assert cli("compare", folders[0]).code == 2
