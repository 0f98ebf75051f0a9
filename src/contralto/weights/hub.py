"""Downloads repositories of the Hugging Face hub once; later calls return the folder without a connection.

Our cache folder records each download, so later starts neither connect nor import the hub's client. The client keeps
the files in its own cache (HF_HOME), resumes interrupted downloads and respects HF_HUB_OFFLINE. This module chooses
the files, and checks each large one against the sha256 that the hub states.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from contralto import cache
from contralto.errors import ContraltoError, WeightsError, one_line
from contralto.files import error_text, written_whole
from contralto.weights import fingerprint

Progress = Callable[[int, int], object]

HUB_CACHE_FILE = "hub.json"
SMALL_FILES = (
    "config.json", "open_clip_config.json", "contralto.json", "preprocessor_config.json", "processor_config.json",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "vocab.txt",
    "spiece.model", "golden.safetensors",
)  # fmt: skip

# The first of these that a repository has is downloaded; with an index, its shards too.
HUB_WEIGHT_FILES = (
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors",
    "open_clip_model.safetensors.index.json", "model.safetensors.index.json",
    "open_clip_pytorch_model.bin", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the client seldom names the file
WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def fetch(hub_id: str, *, revision: str | None = None, progress: Progress | None = None) -> Path:
    """Returns a folder with a repository's files: config, tokenizer, and its weights in one format.

    revision: branch, tag or commit; None for the default branch. A repository on this machine is not checked for
    updates; pass a revision to get another state. Raises ContraltoError, one line.
    """
    if hub_id.count("/") != 1 or not all(part.strip(".") for part in hub_id.split("/")):
        raise ContraltoError(f"'{one_line(hub_id, 100)}' is no repository of the hub: they are called OWNER/NAME")
    key = f"{hub_id}@{revision or 'default'}"
    if (known := _cached_folder(key)) is not None:
        return known
    try:
        folder, files = _download(hub_id, revision, progress or (lambda done, total: None))
    except ContraltoError:
        raise
    except Exception as error:  # the client's own errors, and those of two HTTP libraries below it
        raise WeightsError(_reason(hub_id, revision, error)) from error
    _cache_folder(key, folder, files)
    return folder


def is_downloaded(hub_id: str) -> bool:
    """Whether the default revision is on this machine, from an earlier download."""
    return _cached_folder(f"{hub_id}@default") is not None


def _download(hub_id: str, revision: str | None, progress: Progress) -> tuple[Path, dict[str, int]]:
    """Lists the repository, downloads the needed files and checks them. Returns the folder and size by name."""
    from huggingface_hub import HfApi, constants, hf_hub_download

    if constants.HF_HUB_OFFLINE:
        return _offline(hub_id, revision)
    info = HfApi().model_info(hub_id, revision=revision, files_metadata=True, timeout=20)
    files = {one.rfilename: one for one in info.siblings or () if "/" not in one.rfilename}
    names = _needed(hub_id, list(files))
    for index in [name for name in names if name.endswith(".index.json")]:
        names += [shard for shard in _shards(Path(hf_hub_download(hub_id, index, revision=revision))) if shard in files]
    total, done = sum(files[name].size or 0 for name in names), 0
    folder = Path()
    for name in names:
        bar = _counter(progress, done, total)
        path = Path(hf_hub_download(hub_id, name, revision=revision, tqdm_class=bar))
        if path.parent.name != info.sha:
            raise WeightsError(f"{hub_id} was changed while it was fetched: try again")
        _check(path, files[name])
        done += files[name].size or 0
        progress(done, total)
        folder = path.parent
    return folder, {name: (folder / name).stat().st_size for name in names}


def _needed(hub_id: str, names: list[str]) -> list[str]:
    """The small files, and the weights in the format that is read best."""
    small = [name for name in SMALL_FILES if name in names]
    if "contralto.json" in names and "model.safetensors" in names:
        return [*small, "model.safetensors"]
    weights = next((name for name in HUB_WEIGHT_FILES if name in names), None)
    if weights is None:
        others = [name for name in names if name.endswith(WEIGHT_SUFFIXES)]
        if len(others) != 1:
            held = ", ".join(one_line(name, 40) for name in others[:5]) or "none"
            raise WeightsError(f"{hub_id} has no weight file that could be meant (found: {held})")
        weights = others[0]
    return [*small, weights]


def _shards(path: Path) -> list[str]:
    try:
        weight_map = json.loads(path.read_bytes())["weight_map"]
        return sorted({str(name) for name in weight_map.values()})
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path} is no index of weights") from error


def _check(path: Path, stated: Any) -> None:
    """Raises WeightsError if the sha256 is not the hub's. The file is removed, so the next try downloads it again."""
    wanted = getattr(getattr(stated, "lfs", None), "sha256", None)
    if wanted is None or fingerprint.digest([path]) == wanted:
        return
    real = path.resolve()
    for one in {path, real}:
        with contextlib.suppress(OSError):
            one.unlink()
    raise WeightsError(f"{path.name} is not what the hub has (its sha256 is {wanted[:16]}…): it was removed, try again")


def _offline(hub_id: str, revision: str | None) -> tuple[Path, dict[str, int]]:
    """The files in the client's cache, from any program."""
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(hub_id, revision=revision, local_files_only=True))
    names = [path.name for path in folder.iterdir() if path.is_file()]
    needed = _needed(hub_id, names)
    return folder, {name: (folder / name).stat().st_size for name in needed}


def _counter(progress: Progress, before: int, total: int) -> Any:
    """A tqdm class for the client that draws nothing and calls `progress`."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **given: Any) -> None:
            given.pop("name", None)
            super().__init__(*args, **(given | {"disable": True}))
            self.n = given.get("initial") or 0

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            progress(before + int(self.n), total)
            return None

    return Counter


def _cached_folder(key: str) -> Path | None:
    """The folder of an earlier download, if all its files still exist."""
    entry = _cache_entries().get(key)
    if not isinstance(entry, dict) or not isinstance(entry.get("files"), dict):
        return None
    folder = Path(str(entry.get("folder")))
    try:
        whole = all((folder / name).stat().st_size == size for name, size in entry["files"].items())
    except OSError:
        return None
    return folder if whole and entry["files"] else None


def _cache_folder(key: str, folder: Path, files: Mapping[str, int]) -> None:
    entries = _cache_entries() | {key: {"folder": os.fsdecode(folder), "files": dict(files)}}
    with contextlib.suppress(OSError):
        cache.folder().mkdir(parents=True, exist_ok=True)
        with written_whole(cache.folder() / HUB_CACHE_FILE) as file:
            file.write(json.dumps(entries).encode())


def _cache_entries() -> dict[str, Any]:
    try:
        entries = json.loads((cache.folder() / HUB_CACHE_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _reason(hub_id: str, revision: str | None, error: Exception) -> str:
    """What went wrong and what to do, in one line."""
    names = {kind.__name__ for kind in type(error).__mro__}
    what = f"{hub_id}{f' at {revision}' if revision else ''}"
    if "GatedRepoError" in names:
        return f"{what} is given only to those who accept its terms: do so on its page and log in with `hf auth login`"
    if "RepositoryNotFoundError" in names:
        return f"{what}: the hub has no such repository, or does not show it to you (`hf auth login`)"
    if "RevisionNotFoundError" in names:
        return f"{what}: the hub has no such revision"
    if names & {"OfflineModeIsEnabled", "LocalEntryNotFoundError", "CacheNotFound"}:
        return f"{what} is not on this machine and HF_HUB_OFFLINE is set: unset it once, to fetch the files"
    if isinstance(error, OSError) and (error.filename or error.errno in DISK_ERRORS):
        from huggingface_hub import constants

        return f"{what}: {error_text(error, constants.HF_HUB_CACHE)}"
    return f"{what} could not be fetched ({one_line(str(error) or type(error).__name__, 160)}): try again, it goes on"
