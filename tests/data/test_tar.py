"""Tars read by index, whole and damaged."""

import pytest
from support.user_files import tar_of

from contralto.data.sample import SampleError
from contralto.data.tar import members
from contralto.errors import DataError


class TestTar:
    def test_reads_what_tarfile_reads(self, tmp_path):
        files = [("a" * 150 + "/läng.bin", b"x" * 700), ("empty", b""), ("b", bytes(range(256)) * 5)]
        path = tar_of(tmp_path / "a.tar", files)
        assert [(m.name, m.read()) for m in members(path)] == files

    @pytest.mark.parametrize("cut", [100, 700, 1500])
    def test_a_cut_tar_is_an_error_that_names_it(self, tmp_path, cut):
        path = tar_of(tmp_path / "a.tar", [("a", b"x" * 600), ("b", b"y" * 600)])
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(DataError, match=r"a\.tar"):
            members(path)

    def test_compressed_is_an_error_that_says_so(self, tmp_path):
        with pytest.raises(DataError, match="decompress"):
            members(tar_of(tmp_path / "a.tar.gz", [("a", b"x")], "w:gz"))

    def test_a_tar_that_shrinks_afterwards_is_an_error(self, tmp_path):
        path = tar_of(tmp_path / "a.tar", [("a", b"x" * 600)])
        member = members(path)[0]
        path.write_bytes(path.read_bytes()[:800])
        with pytest.raises(SampleError, match="cut off"):
            member.read()
