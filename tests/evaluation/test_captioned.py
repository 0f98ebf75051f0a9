import pytest

from contralto.errors import DataError
from contralto.evaluation.captioned import CaptionedPicture, read

CSV = 'path,text,references\na.jpg,"a dog, wet","[""one"", ""two""]"\nb/c.jpg,a cat,a puss\nd.jpg,a bird,\n'
JSONL = (
    '{"path": "a.jpg", "text": "a dog, wet", "references": ["one", "two"]}\n\n'
    '{"path": "b/c.jpg", "text": "a cat", "references": "a puss"}\n{"path": "d.jpg", "text": "a bird", "more": 1}\n'
)


@pytest.mark.parametrize(("name", "content"), [("x.csv", CSV), ("x.jsonl", JSONL), ("x.CSV", "\ufeff" + CSV)])
def test_both_layouts_give_the_same(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read(tmp_path / name) == [
        CaptionedPicture(str(tmp_path / "a.jpg"), "a dog, wet", ("one", "two")),
        CaptionedPicture(str(tmp_path / "b/c.jpg"), "a cat", ("a puss",)),
        CaptionedPicture(str(tmp_path / "d.jpg"), "a bird"),
    ]


def test_paths_are_taken_from_the_folder_of_the_file_and_absolute_ones_stay(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_text("path,text\na.jpg,t\n/p/b.jpg,t\nhttps://example.org/c.jpg,t\n")
    monkeypatch.chdir(tmp_path)
    assert [one.path for one in read("x.csv")] == ["a.jpg", "/p/b.jpg", "https://example.org/c.jpg"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.txt", b"", "neither .csv nor .jsonl"),
        ("x.csv", None, "no such file"),
        ("x.csv", b"path,text\n", "holds no captions"),
        ("x.csv", b"picture,text\na.jpg,t\n", "line 2: `path` and `text` are needed"),
        ("x.csv", b'path,text,references\na,b,"[1"\n', "line 2 is not JSON"),
        ("x.csv", b'path,text\na,"b\n', "is not CSV"),
        ("x.jsonl", b'{"path": "a", "text": "b"}\n{"path": 1, "text": "b"}\n', "line 2: `path`"),
        ("x.jsonl", b"[]\n", "line 1: `path`"),
        ("x.jsonl", b'{"path": "a", "text": "b", "references": [1]}', "is a list of texts"),
        ("x.jsonl", b"{", "line 1 is not JSON"),
        ("x.jsonl", b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_file_and_line(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as raised:
        read(tmp_path / name)
    assert said in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)
    assert "\n" not in str(raised.value)
