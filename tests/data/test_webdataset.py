"""WebDataset tars, whole and broken."""

import tarfile

import pytest
from support.user_files import png, sample_shade, tar_of

from contralto.data.sample import SampleError
from contralto.data.webdataset import WebDataset
from contralto.errors import DataError


class TestWebDataset:
    def test_pairs_labels_and_both_kinds_of_captions(self, tmp_path):
        files = [
            ("x/one.png", png(1)), ("x/one.json", b'{"captions": ["a", " b "], "split": "train"}'),
            ("x/two.v1.PNG", png(2)), ("x/two.txt", "Bär\n\nzwei\n".encode()),
            ("three.json", b'{"caption": "c"}'), ("three.cls", b"7\n"), ("three.png", png(3)),
            ("four.cls", b"0"), ("four.png", png(4)),
            ("five.png", png(5)), ("six.txt", b"no picture"), ("._one.png", b"junk"), ("._two.png", b"junk"),
        ]  # fmt: skip
        source = WebDataset(tar_of(tmp_path / "a.tar", files))
        samples = [source[i] for i in range(len(source))]
        assert [s.captions for s in samples] == [("a", "b"), ("Bär", "zwei"), ("c",), ()]
        assert [s.label for s in samples] == [None, None, 7, 0]
        assert [sample_shade(s) for s in samples] == [1, 2, 3, 4]
        assert dict(source.skipped) == {"no caption": 1, "no picture": 1}

    def test_several_tars_are_one_source_and_equal_keys_are_different_samples(self, tmp_path):
        tars = [tar_of(tmp_path / f"{n}.tar", [("k.png", png(n)), ("k.txt", b"k")]) for n in (1, 2, 3)]
        source = WebDataset(tars)
        assert [sample_shade(source[i]) for i in (2, 0, 1)] == [3, 1, 2]

    def test_names_that_climb_and_links_touch_nothing(self, tmp_path):
        inside = tmp_path / "in"
        inside.mkdir()
        files = [
            ("../../evil.png", png(1)), ("../../evil.txt", b"x"), ("/abs.png", png(2)), ("/abs.txt", b"y"),
            ("link.png", (tarfile.SYMTYPE, "/etc/passwd")), ("link.txt", b"z"), ("fifo.png", (tarfile.FIFOTYPE, "")),
            ("hard.png", (tarfile.LNKTYPE, "/etc/x")),
        ]  # fmt: skip
        source = WebDataset(tar_of(inside / "a.tar", files))
        assert [sample_shade(source[i]) for i in range(len(source))] == [1, 2]
        assert [p.name for p in tmp_path.rglob("*")] == ["in", "a.tar"]

    @pytest.mark.parametrize(
        ("name", "data", "why"),
        [
            ("k.json", b"{", "is not JSON"), ("k.json", b"[1]", "list of strings"), ("k.txt", b"\xff", "not UTF-8"),
            ("k.json", b'{"captions": [1]}', "no caption"), ("k.json", b'{"captions": []}', "no caption"),
            ("k.cls", b"-1", "class index"), ("k.json", b"[" * 200_000, "is not JSON"),
        ],
    )  # fmt: skip
    def test_a_broken_sample_is_an_error_of_its_own(self, tmp_path, name, data, why):
        source = WebDataset(
            tar_of(tmp_path / "a.tar", [("k.png", png(1)), (name, data), ("l.png", png(2)), ("l.txt", b"l")])
        )
        with pytest.raises(SampleError, match=why):
            source[0]
        assert source[1].captions == ("l",)

    def test_two_pictures_of_one_key_cost_that_sample(self, tmp_path):
        twice = [("k.png", png(1)), ("k.jpg", png(1)), ("k.txt", b"k")]
        with pytest.raises(DataError, match="second picture"):
            WebDataset(tar_of(tmp_path / "a.tar", twice))
        source = WebDataset(tar_of(tmp_path / "a.tar", [*twice, ("l.png", png(2)), ("l.txt", b"l")]))
        assert [sample_shade(sample) for sample in (source[0],)] == [2]
        assert source.skipped == {"has a second picture of the same key": 1}

    @pytest.mark.parametrize(
        "said", [b'{"caption": null}', b'{"captions": [null, " "]}', b'{"caption": NaN}', b"{", b"[]"]
    )
    def test_null_is_no_caption_and_the_text_is_looked_at_next(self, tmp_path, said):
        files = [("k.jpg", png(1)), ("k.json", said), ("k.txt", b"a fox"), ("l.jpg", png(2)), ("l.json", said)]
        source = WebDataset(tar_of(tmp_path / "a.tar", files))
        assert source[0].captions == ("a fox",)
        with pytest.raises(SampleError):
            source[1]

    def test_patterns(self, tmp_path):
        for n in (1, 2, 3):
            tar_of(tmp_path / f"x-{n:03}.tar", [("k.png", png(n)), ("k.txt", b"k")])
        for pattern in ("x-{001..003}.tar", "x-*.tar", f"x-{{001,002}}.tar::{tmp_path}/x-003.tar"):
            source = WebDataset(f"{tmp_path}/{pattern}")
            assert [sample_shade(source[i]) for i in range(len(source))] == [1, 2, 3]

    def test_what_systems_leave_is_no_sample(self, tmp_path):
        junk = [("__MACOSX/k.png", b"x"), ("__MACOSX/k.txt", b"x"), ("@eaDir/l.png", b"x"), (".a/m.png", b"x")]
        source = WebDataset(tar_of(tmp_path / "a.tar", [("k.png", png(1)), ("k.txt", b"k"), *junk]))
        assert (len(source), source.skipped) == (1, {})

    def test_no_pair_at_all_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="holds no pair"):
            WebDataset(tar_of(tmp_path / "a.tar", [("k.png", png(1))]))
