"""Caption tables for training, in the formats that evaluation reads too: CSV, TSV or JSON Lines."""

from __future__ import annotations

from pathlib import Path

from contralto.data.omissions import Omissions
from contralto.data.sample import Sample, SampleError
from contralto.data.table_files import captions_of, picture_path, read_table
from contralto.errors import DataError


class CaptionTable:
    """Pictures and captions of a table: one row per caption, or one row with all captions of a picture. A `Source`.

    path: a CSV or TSV file (the header shows comma, semicolon or tab) or a JSON Lines file, in UTF-8. Its columns, in
    upper or lower case: `path`, `filename`, `filepath`, `image` or the like; `caption`, `captions`, `text` or `title`.
    Paths are relative to the table, or absolute. Rows that cannot be used are counted in `skipped`.
    Raises DataError if the table is missing, damaged, laid out differently, or without captions. A missing picture
    shows only when it is decoded.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.name = path.stem
        captions_by_picture: dict[Path, list[str]] = {}
        left_out = Omissions()
        for row, names in read_table(path):
            where = f"{path} line {row.line}"
            if row.fault:
                left_out.fail(where, row.fault)
                continue
            try:
                picture = picture_path(path.parent, row.cells.get(names.picture), where, anywhere=True)
            except SampleError as error:
                left_out.fail(where, error.reason)
                continue
            if captions := captions_of(row.cells.get(names.caption or "")):
                captions_by_picture.setdefault(picture, []).extend(captions)
            else:
                left_out.fail(where, "no caption" if names.caption else "no column of captions")
        if not captions_by_picture:
            raise DataError(f"{path} holds no captions" + (f": {left_out.first()}" if left_out.failed else ""))
        self.skipped = left_out.counts()
        self._samples = [(picture, tuple(captions)) for picture, captions in captions_by_picture.items()]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        picture, captions = self._samples[index]
        return Sample(picture, captions, str(picture))


class CsvCaptions(CaptionTable):
    """The `CaptionTable` in a folder. The source has the folder's name."""

    def __init__(self, folder: str | Path, file: str = "captions.csv") -> None:
        self.folder = Path(folder)
        super().__init__(self.folder / file)
        self.name = self.folder.name
