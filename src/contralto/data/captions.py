"""Tables of captions beside pictures, as measuring reads them too: CSV, TSV or JSON Lines."""

from __future__ import annotations

from pathlib import Path

from contralto.data.omissions import Omissions
from contralto.data.sample import Sample, SampleError
from contralto.data.table_files import captions_of, described, picture_path
from contralto.errors import DataError


class CaptionTable:
    """Pictures and captions of a table: a row for each caption of a picture, or for all of them. A `Source`.

    path: a CSV or TSV (comma, semicolon or tab, as its header has them) or JSON Lines file, in UTF-8. Its columns, in
    upper or lower case: `path`, `filename`, `filepath`, `image` or the like; `caption`, `captions`, `text` or `title`.
    Paths are relative to the table, or absolute. Rows that cannot be used are counted in `skipped`.
    Raises DataError for a table that is missing, damaged or laid out differently, or without any caption; whether the
    pictures are there shows when they are decoded.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.name = path.stem
        captions: dict[Path, list[str]] = {}
        left_out = Omissions()
        for line, names in described(path):
            where = f"{path} line {line.number}"
            if line.fault:
                left_out.fail(where, line.fault)
                continue
            try:
                picture = picture_path(path.parent, line.cells.get(names.picture), where, anywhere=True)
            except SampleError as error:
                left_out.fail(where, error.reason)
                continue
            if found := captions_of(line.cells.get(names.caption or "")):
                captions.setdefault(picture, []).extend(found)
            else:
                left_out.fail(where, "no caption" if names.caption else "no column of captions")
        if not captions:
            raise DataError(f"{path} holds no captions" + (f": {left_out.first()}" if left_out.failed else ""))
        self.skipped = left_out.counts()
        self._samples = [(picture, tuple(texts)) for picture, texts in captions.items()]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        picture, captions = self._samples[index]
        return Sample(picture, captions, str(picture))


class CsvCaptions(CaptionTable):
    """The `CaptionTable` that lies in a folder, by whose name the source is called."""

    def __init__(self, folder: str | Path, file: str = "captions.csv") -> None:
        self.folder = Path(folder)
        super().__init__(self.folder / file)
        self.name = self.folder.name
