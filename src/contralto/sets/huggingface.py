"""Parquet files and folders in the layouts of the Hugging Face hub, and the output of `save_to_disk`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contralto.data.omissions import Omissions
from contralto.data.splits import UNSPLIT, split_name
from contralto.data.table_files import Columns, captions_of, find_columns
from contralto.errors import DataError
from contralto.sets.arrow_files import (
    ArrowColumn,
    ParquetColumn,
    PictureColumn,
    RowGroupCache,
    RowPicture,
    open_arrow_file,
    open_parquet_file,
    read_columns,
)
from contralto.sets.data_set import Class, DataSet
from contralto.sets.huggingface_classes import label_names, read_json
from contralto.sets.table_entries import TableEntry, class_from_name, classes_from_labels, items_from_entries
from contralto.sets.user_set import UserSet, build_data_set, files_by_split


@dataclass(frozen=True, eq=False)
class _Shard:
    """One file. table: its columns except the pictures."""

    path: Path
    names: Columns
    table: Any
    pictures: PictureColumn
    schema: Any


def open_parquet(path: Path, files: Sequence[Path] = ()) -> UserSet:
    """One Parquet file, or the given files of a folder. The split is in the files' names or in a column `split`.

    Raises DataError for another layout, MissingExtraError without pyarrow.
    """
    by_split = files_by_split(files or [path], path if files else path.parent)
    for split, listed in by_split.items():
        if len(folders := sorted({str(file.parent) for file in listed})) > 1:
            raise DataError(f"{path}: {split} is in several folders; name one of them: {', '.join(folders[:5])}")
    groups = RowGroupCache()
    return _user_set(path, {split: [_parquet(file, groups) for file in listed] for split, listed in by_split.items()})


def open_saved(path: Path) -> UserSet:
    """A folder of `Dataset.save_to_disk` (state.json), or of `DatasetDict.save_to_disk` (dataset_dict.json).

    Raises DataError, MissingExtraError.
    """
    folders = [path]
    if (path / "dataset_dict.json").is_file():
        folders = sorted(folder for folder in path.iterdir() if (folder / "state.json").is_file())
    by_split = {}
    for folder in folders:
        state = read_json(folder / "state.json")
        listed = [entry.get("filename") for entry in state.get("_data_files") or () if isinstance(entry, dict)]
        files = [folder / Path(name).name for name in listed if isinstance(name, str)]
        if not files or state.get("_indices_files"):
            raise DataError(f"{folder} does not list its files in row order: call flatten_indices() and save it again")
        split = folder.name if folder != path else state.get("_split")
        by_split[split_name(split) if isinstance(split, str) else UNSPLIT] = [_arrow(file) for file in files]
    return _user_set(path, by_split)


def _parquet(path: Path, groups: RowGroupCache) -> _Shard:
    with open_parquet_file(path) as file:
        names = _columns(path, file.schema_arrow)
        table = read_columns(path, file, [name for name in (names.label, names.caption, names.split) if name])
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        return _Shard(path, names, table, ParquetColumn(path, names.picture, sizes, groups), file.schema_arrow)


def _arrow(path: Path) -> _Shard:
    table = open_arrow_file(path)
    names = _columns(path, table.schema)
    return _Shard(path, names, table, ArrowColumn(table.column(names.picture)), table.schema)


def _columns(path: Path, schema: Any) -> Columns:
    """The columns. Raises DataError if none holds the bytes of pictures, or structures."""
    from pyarrow import types

    types_by_name = {field.name: field.type for field in schema}
    return find_columns(
        str(path),
        schema.names,
        [
            name
            for name, kind in types_by_name.items()
            if types.is_struct(kind) or types.is_binary(kind) or types.is_large_binary(kind)
        ],
    )


def _user_set(path: Path, shards_by_split: Mapping[str, Sequence[_Shard]]) -> UserSet:
    """shards_by_split: the split that each file's name states; a column `split` may state other splits per row."""
    shards = [shard for listed in shards_by_split.values() for shard in listed]
    if other := next((shard for shard in shards if shard.names != shards[0].names), None):
        raise DataError(f"{other.path} has other columns than {shards[0].path}: name one of them")
    classes = _classes(path, shards)
    by_split: dict[str, list[tuple[_Shard, Sequence[int]]]] = {}
    for file_split, listed in shards_by_split.items():
        for shard in listed:
            for split, rows in _rows_by_split(shard, file_split).items():
                by_split.setdefault(split, []).append((shard, rows))

    def read(split: str) -> DataSet:
        entries = [entry for shard, rows in by_split[split] for entry in _entries(path, shard, rows)]
        left_out = Omissions()
        return build_data_set(path, split, items_from_entries(entries, classes, left_out), classes, left_out=left_out)

    return UserSet(tuple(by_split), read)


def _rows_by_split(shard: _Shard, split: str) -> dict[str, Sequence[int]]:
    """Row numbers by the value of the column `split`; without this column, all rows belong to the file's split."""
    if shard.names.split is None:
        return {split: range(len(shard.table))}
    rows_by_split: dict[str, list[int]] = {}
    for row, value in enumerate(shard.table.column(shard.names.split).to_pylist()):
        rows_by_split.setdefault(split_name(value) if isinstance(value, str) else split, []).append(row)
    return dict(rows_by_split)


def _entries(root: Path, shard: _Shard, rows: Sequence[int]) -> list[TableEntry]:
    labels, captions = (
        shard.table.column(name).to_pylist() if name else None for name in (shard.names.label, shard.names.caption)
    )
    file = shard.path.relative_to(root).as_posix() if shard.path != root else shard.path.name
    return [
        TableEntry(
            f"{file} row {row}",
            RowPicture(shard.path, row, shard.pictures),
            labels[row] if labels else None,
            captions_of(captions[row]) if captions else (),
        )
        for row in rows
    ]


def _classes(path: Path, shards: Sequence[_Shard]) -> tuple[Class, ...]:
    """The classes that the files state; else the labels if these are strings; else none."""
    label = shards[0].names.label
    if label is None:
        return ()
    folders = dict.fromkeys((path, shards[0].path.parent))
    if names := label_names(label, shards[0].schema, [folder for folder in folders if folder.is_dir()]):
        return tuple(class_from_name(name) for name in names)
    values: set[object] = set()
    for shard in shards:
        column = shard.table.column(label)
        flat = column.combine_chunks().flatten() if hasattr(column.type, "value_field") else column
        values.update(flat.unique().to_pylist())
    return classes_from_labels(values)
