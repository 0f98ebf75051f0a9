import json
import os

import numpy as np
import pytest
from support.fake_clip import paint

from contralto.errors import ImageError


@pytest.fixture
def folder(tmp_path, clip):
    for name in ("red", "green", "blue"):
        paint(tmp_path / "p" / f"{name}.png", name)
    return tmp_path / "p"


def spoil(folder, name="bad.jpg"):
    (folder / name).write_bytes(b"not a picture")
    return str(folder / name)


def errors(result):
    return [json.loads(line) for line in result.err.splitlines()]


# classify


def test_classify_json_is_an_object_a_picture_best_first(cli, folder):
    result = cli("classify", folder / "red.png", folder / "blue.png", "--labels", "red", "green", "blue", "--json")
    assert result.code == 0
    assert [one["path"] for one in result.objects] == [str(folder / "red.png"), str(folder / "blue.png")]
    assert [one["predictions"][0]["label"] for one in result.objects] == ["red", "blue"]
    for one in result.objects:
        assert set(one) == {"path", "predictions"}
        scores = [p["score"] for p in one["predictions"]]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_classify_table_and_top(cli, folder):
    result = cli("classify", folder / "red.png", "--labels", "red", "green", "blue", "--top", "2")
    lines = result.out.splitlines()
    assert len(lines) == 3
    assert lines[0] == str(folder / "red.png")
    assert lines[1].endswith("red")
    assert "\033" not in result.out


def test_labels_and_templates_from_files(cli, folder, tmp_path):
    (tmp_path / "labels").write_text("\ufeffgreen\n\n  red  \n", encoding="utf-8")
    (tmp_path / "templates").write_text("the colour {}\n")
    given = ("--labels", f"@{tmp_path / 'labels'}", "blue", "--templates", f"@{tmp_path / 'templates'}")
    result = cli("classify", folder / "red.png", *given, "--json")
    assert result.objects[0]["predictions"][0]["label"] == "red"
    assert {p["label"] for p in result.objects[0]["predictions"]} == {"green", "red", "blue"}
    assert cli("classify", folder / "red.png", "--labels", "red", "--templates", "none").code == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--labels", "@nowhere"], "nowhere: No such file"),
        (["--labels", "a", "--templates", "phto"], "photo"),
        (["--labels", "a", "--templates", "@nowhere"], "nowhere"),
    ],
)
def test_unusable_labels_and_templates_are_an_error_of_one_line(cli, folder, given, said):
    result = cli("classify", folder / "red.png", *given)
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert said in result.err


def test_some_bad_pictures_are_3_all_bad_are_1(cli, folder):
    bad, gone = spoil(folder), str(folder / "gone.jpg")
    result = cli("classify", bad, folder / "red.png", gone, "--labels", "red", "--json")
    assert (result.code, len(result.objects)) == (3, 1)
    assert {one["path"] for one in errors(result)} == {bad, gone}
    assert all(set(one) == {"path", "error"} for one in errors(result))
    assert cli("classify", bad, gone, "--labels", "red").code == 1
    assert f"{gone}: no such file or directory\n" in cli("classify", gone, "--labels", "red", "--quiet").err


# similarity


def test_similarity_is_an_object_a_pair(cli, folder, clip):
    result = cli("similarity", folder / "red.png", folder / "green.png", "--text", "red", "green", "--json")
    pairs = [(one["path"], one["text"]) for one in result.objects]
    assert pairs == [(str(folder / p), t) for p in ("red.png", "green.png") for t in ("red", "green")]
    cosines = np.array([one["cosine"] for one in result.objects]).reshape(2, 2)
    rows = clip.encode_image([str(folder / "red.png"), str(folder / "green.png")])
    np.testing.assert_allclose(cosines, rows @ clip.encode_text(["red", "green"]).T, atol=1e-6)
    assert cli("similarity", folder / "red.png", "--text", "red").out.splitlines()[1].split() == ["1.000", "red"]


# embed


def test_embed_prints_rows_of_pictures_and_texts(cli, folder, clip):
    result = cli("embed", folder, "--text", "red", "--json")
    assert result.code == 0
    paths = [str(folder / f"{name}.png") for name in ("blue", "green", "red")]
    assert [one.get("path") for one in result.objects[:3]] == paths
    assert list(result.objects[3]) == ["text", "embedding"]
    expected = clip.encode_image([str(folder / "blue.png")])[0]
    np.testing.assert_array_equal(np.array(result.objects[0]["embedding"], np.float32), expected)
    assert len(cli("embed", folder, "--text", "red").out.splitlines()) == 4


def test_embed_out_holds_all_arrays(cli, folder, clip, tmp_path):
    bad, out = spoil(folder), tmp_path / "rows.npz"
    result = cli("embed", folder, "--text", "red", "x" * 301, "--out", out, "--json")
    assert result.code == 3
    assert result.objects[-1] == {"out": str(out), "rows": 4, "failed": 2}
    assert len(result.objects) == 5
    assert {one["path"] for one in errors(result)} == {bad, "x" * 301}
    with np.load(out) as arrays:
        names = {"paths", "embeddings", "texts", "text_embeddings", "failed", "reasons", "contract"}
        assert set(arrays) == names
        assert arrays["paths"].tolist() == [str(folder / f"{n}.png") for n in ("blue", "green", "red")]
        assert arrays["embeddings"].shape == (3, clip.contract.embedding)
        assert arrays["embeddings"].dtype == np.float32
        assert arrays["texts"].tolist() == ["red"]
        assert arrays["text_embeddings"].shape == (1, clip.contract.embedding)
        assert arrays["failed"].tolist() == [bad]
        assert json.loads(str(arrays["contract"]))["name"] == clip.contract.name
    assert {*os.listdir(tmp_path)} == {"rows.npz", "p", "cache"}


def test_embed_strict_fails_and_leaves_an_older_file_alone(cli, folder, tmp_path):
    spoil(folder)
    out = tmp_path / "rows.npz"
    out.write_bytes(b"older")
    result = cli("embed", folder, "--strict", "--out", out)
    assert result.code == 1
    assert "not written" in result.err
    assert out.read_bytes() == b"older"


def test_embed_refuses_an_out_that_cannot_be_a_file_before_it_works(cli, folder, clip, tmp_path):
    for out in (tmp_path, tmp_path / "nowhere" / "rows.npz"):
        result = cli("embed", folder, "--out", out)
        assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert clip.seen == []


def test_embed_goes_on_from_the_index_and_retries_only_what_changed(cli, folder, clip):
    bad = spoil(folder)
    cli("embed", folder)
    clip.seen.clear()
    assert cli("embed", folder).code == 3
    assert clip.seen == []
    os.replace(folder / "red.png", bad)
    assert cli("embed", folder).code == 0
    assert clip.seen == [bad]


def test_what_was_made_in_another_precision_is_no_answer(cli, folder, clip):
    for precision, asked in (("int8", 3), ("fp32", 6), ("auto", 9), ("int8", 9), ("fp32", 9), ("auto", 9)):
        clip.precision = precision
        assert cli("embed", folder).code == 0
        assert len(clip.seen) == asked


def test_what_failed_for_a_moment_is_tried_the_next_time(cli, folder, clip, monkeypatch):
    def short(item):
        raise ImageError(item, "needs more memory than there is", lasting=False)

    with monkeypatch.context() as patch:
        patch.setattr("fake.decode", short)
        assert "3 could not be used" in cli("search", folder, "red").err
    assert "could not be used" not in cli("search", folder, "red").err


@pytest.mark.parametrize("command", [("search", "red"), ("embed",), ("classify", "--labels", "red", "blue")])
def test_one_odd_entry_of_a_folder_costs_itself(cli, folder, command):
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "broken.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.png")
    os.utime(folder / "red.png", ns=(0, 13_569_465_600 * 10**9))  # the year 2400
    os.utime(folder / "blue.png", ns=(0, -2_208_988_800 * 10**9))  # 1900
    for _ in range(2):
        result = cli(command[0], folder, *command[1:], "--json")
        assert result.code == (0 if command[0] == "search" else 3)
        assert {one["path"] for one in result.objects} == {str(folder / f"{n}.png") for n in ("red", "green", "blue")}
        assert {os.path.basename(one["path"]) for one in errors(result)} == {"loop.jpg", "broken.jpg", "pipe.png"}


def test_what_is_excluded_is_neither_embedded_nor_found_nor_forgotten(cli, folder, clip):
    paint(folder / "thumbs" / "red.png", "red")
    for command in (("embed",), ("search", "red")):
        result = cli(command[0], folder, *command[1:], "--json", "--exclude", "thumbs", "gr*")
        assert {os.path.relpath(one["path"], folder) for one in result.objects} == {"red.png", "blue.png"}
    assert len(clip.seen) == 2
    cli("embed", folder)
    cli("search", folder, "red", "--exclude", "thumbs", "--exclude", "gr*")
    clip.seen.clear()
    assert len(cli("embed", folder, "--json").objects) == 5 - 1
    assert clip.seen == []
    assert cli("embed", folder / "green.png", "--exclude", "*", "--json").code == 0, "it is named itself"
    assert "no pictures" in cli("search", folder, "red", "--exclude", "*").err


def test_a_folder_of_systems_is_passed_over_unless_it_is_named(cli, folder):
    paint(folder / "@eaDir" / "red.png" / "SYNOPHOTO_THUMB_XL.jpg", "red")
    assert len(cli("search", folder, "red", "--json").objects) == 3
    assert len(cli("search", folder / "@eaDir", "red", "--json").objects) == 1


def test_texts_only_and_too_long_texts(cli, clip):
    assert cli("embed", "--text", "red", "--json").code == 0
    result = cli("embed", "--text", "x" * 301)
    assert (result.code, result.out) == (1, "")
    assert cli("embed", "--text", "x" * 301, "--truncate", "--json").code == 0


def test_an_empty_folder_is_1_and_says_so(cli, clip, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in (("embed", tmp_path / "empty"), ("search", tmp_path / "empty", "red")):
        result = cli(*arguments)
        assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)
        assert "no pictures" in result.err


# search


def test_search_ranks_and_answers_again_from_the_index(cli, folder, clip):
    paint(folder / "sub" / "deep" / "red.png", "red")
    result = cli("search", folder, "red", "--json")
    assert result.code == 0
    assert [one["rank"] for one in result.objects] == [1, 2, 3, 4]
    assert all(set(one) == {"rank", "path", "score", "relevant"} for one in result.objects)
    best = [one["path"] for one in result.objects[:2]]
    assert best == [str(folder / "red.png"), str(folder / "sub" / "deep" / "red.png")]  # a tie: in the order of paths
    assert result.objects[0]["score"] == result.objects[1]["score"] == pytest.approx(1, abs=1e-4)
    clip.seen.clear()
    assert cli("search", folder, "blue", "--top", "1", "--json").objects[0]["path"] == str(folder / "blue.png")
    assert clip.seen == []
    assert cli("search", folder, "red", "--top", "1").out.split() == ["1", "1.000", str(folder / "red.png")]


def test_search_by_picture_by_both_and_without(cli, folder):
    def best(*arguments):
        return os.path.basename(cli("search", folder, *arguments, "--json").objects[0]["path"])

    assert best("--image", folder / "green.png") == "green.png"
    assert best("red", "--image", folder / "red.png") == "red.png"
    assert best("white", "--not", "green", "--not", "blue") == "red.png"
    assert best("white", "--not", "red", "--not", "blue") == "green.png"


def test_search_shares_its_index_with_embed_under_any_spelling_of_the_folder(cli, folder, clip, monkeypatch):
    cli("embed", folder)
    clip.seen.clear()
    monkeypatch.chdir(folder)
    assert cli("search", ".", "red", "--json").objects[0]["path"] == "./red.png"
    assert cli("search", f"{folder}/./", "red", "--json").objects[0]["path"] == f"{folder}/./red.png"
    assert clip.seen == []


def test_search_says_where_the_good_answers_end(cli, folder, monkeypatch):
    for least, line in ((0.5, 1), (-1.0, None), (2.0, None)):
        monkeypatch.setattr("contralto.search.relevance.threshold", lambda *given, least=least: least)
        found = cli("search", folder, "red", "--json").objects
        assert [one["relevant"] for one in found] == [one["score"] > least for one in found]
        result = cli("search", folder, "red")
        drawn = [place for place, text in enumerate(result.out.splitlines()) if text.startswith("----")]
        assert drawn == ([] if line is None else [line])
        assert ("nothing in here seems to fit" in result.err) == (least == 2.0)


def test_search_notes_bad_files_once_and_exits_0(cli, folder):
    for i in range(5):
        spoil(folder, f"bad{i}.jpg")
    result = cli("search", folder, "red")
    assert result.code == 0
    assert result.err.startswith("note: 5 could not be used: ")
    assert result.err.count("could not be used") == 1
    assert cli("search", folder, "red", "--quiet").err == ""
    assert len(errors(cli("search", folder, "red", "--json"))) == 5


def test_search_with_nothing_usable_is_1(cli, tmp_path, clip):
    (tmp_path / "p").mkdir()
    spoil(tmp_path / "p")
    assert cli("search", tmp_path / "p", "red").code == 1
    assert "no such folder" in cli("search", tmp_path / "gone", "red").err
    assert "is not a folder" in cli("search", tmp_path / "p" / "bad.jpg", "red").err


def test_odd_names_are_escaped_in_tables_and_whole_in_json(cli, folder):
    odd = [b"new\nline.png", b"tab\tesc\x1b[31m.png", b"\xff\xfe.png", "図 🐈.png".encode()]
    for name in odd:
        os.link(folder / "red.png", os.path.join(os.fsencode(folder), name))
    table = cli("search", folder, "red").out
    assert "new\\nline.png" in table
    assert "\\x1b[31m" in table
    assert "\\udcff\\udcfe.png" in table
    assert "図 🐈.png" in table
    assert len(table.splitlines()) == 7
    result = cli("search", folder, "red", "--json")
    assert result.out.isascii()
    paths = {os.path.basename(os.fsencode(one["path"])) for one in result.objects}
    assert paths >= set(odd)
