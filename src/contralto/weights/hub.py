"""Repositories of the Hugging Face hub, as folders on this machine: fetched once, then found without a connection.

What was fetched is remembered in the cache folder, so that later starts neither connect nor import the hub's client.
The client keeps the files in its own cache (HF_HOME), resumes what was interrupted, and respects HF_HUB_OFFLINE; here
is decided which files are needed, and each large one is held against the sha256 that the hub states.
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

RECORD = "hub.json"
SMALL = ("config.json", "open_clip_config.json", "contralto.json", "preprocessor_config.json", "processor_config.json",
         "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "vocab.txt",
         "spiece.model", "golden.safetensors")  # fmt: skip

# The weight file of a repository is the first of these; of an index, its shards come too.
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors",
           "open_clip_model.safetensors.index.json", "model.safetensors.index.json",
           "open_clip_pytorch_model.bin", "pytorch_model.bin", "pytorch_model.bin.index.json")  # fmt: skip
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the client seldom says for which file
OTHERS = (".safetensors", ".pt", ".pth", ".bin")


def fetch(hub_id: str, *, revision: str | None = None, progress: Progress | None = None) -> Path:
    """The folder of a repository's files: config, tokenizer, and one form of its weights.

    revision: branch, tag or commit; the default branch without. A repository that is here already is not asked about
    again, whatever its newest state: give a revision for another. Raises ContraltoError, one line.
    """
    if hub_id.count("/") != 1 or not all(part.strip(".") for part in hub_id.split("/")):
        raise ContraltoError(f"'{one_line(hub_id, 100)}' is no repository of the hub: they are called OWNER/NAME")
    key = f"{hub_id}@{revision or 'default'}"
    if (known := _remembered(key)) is not None:
        return known
    try:
        folder, files = _download(hub_id, revision, progress or (lambda done, total: None))
    except ContraltoError:
        raise
    except Exception as error:  # the client's own errors, and those of two HTTP libraries below it
        raise WeightsError(_told(hub_id, revision, error)) from error
    _remember(key, folder, files)
    return folder


def is_here(hub_id: str) -> bool:
    """Whether the default revision was fetched before and still lies here."""
    return _remembered(f"{hub_id}@default") is not None


def _download(hub_id: str, revision: str | None, progress: Progress) -> tuple[Path, dict[str, int]]:
    """Asks what is there, fetches what is needed, checks it."""
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
    """The small files, and the weights in the form that is best read."""
    found = [name for name in SMALL if name in names]
    if "contralto.json" in names and "model.safetensors" in names:
        return [*found, "model.safetensors"]
    weights = next((name for name in WEIGHTS if name in names), None)
    if weights is None:
        others = [name for name in names if name.endswith(OTHERS)]
        if len(others) != 1:
            held = ", ".join(one_line(name, 40) for name in others[:5]) or "none"
            raise WeightsError(f"{hub_id} has no weight file that could be meant (found: {held})")
        weights = others[0]
    return [*found, weights]


def _shards(path: Path) -> list[str]:
    try:
        weight_map = json.loads(path.read_bytes())["weight_map"]
        return sorted({str(name) for name in weight_map.values()})
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path} is no index of weights") from error


def _check(path: Path, stated: Any) -> None:
    """The file is what the hub says it is; one that is not is removed, so that the next try fetches it anew."""
    wanted = getattr(getattr(stated, "lfs", None), "sha256", None)
    if wanted is None or fingerprint.digest([path]) == wanted:
        return
    real = path.resolve()
    for one in {path, real}:
        with contextlib.suppress(OSError):
            one.unlink()
    raise WeightsError(f"{path.name} is not what the hub has (its sha256 is {wanted[:16]}…): it was removed, try again")


def _offline(hub_id: str, revision: str | None) -> tuple[Path, dict[str, int]]:
    """What the client's cache already has, put there by whatever program."""
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(hub_id, revision=revision, local_files_only=True))
    names = [path.name for path in folder.iterdir() if path.is_file()]
    needed = _needed(hub_id, names)
    return folder, {name: (folder / name).stat().st_size for name in needed}


def _counter(progress: Progress, before: int, total: int) -> Any:
    """A class as the client wants it for its bars, which draws nothing and tells how far it is."""
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


def _remembered(key: str) -> Path | None:
    """The folder of an earlier fetch, if all of its files still lie there."""
    entry = _record().get(key)
    if not isinstance(entry, dict) or not isinstance(entry.get("files"), dict):
        return None
    folder = Path(str(entry.get("folder")))
    try:
        whole = all((folder / name).stat().st_size == size for name, size in entry["files"].items())
    except OSError:
        return None
    return folder if whole and entry["files"] else None


def _remember(key: str, folder: Path, files: Mapping[str, int]) -> None:
    record = _record() | {key: {"folder": os.fsdecode(folder), "files": dict(files)}}
    with contextlib.suppress(OSError):
        cache.folder().mkdir(parents=True, exist_ok=True)
        with written_whole(cache.folder() / RECORD) as file:
            file.write(json.dumps(record).encode())


def _record() -> dict[str, Any]:
    try:
        found = json.loads((cache.folder() / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _told(hub_id: str, revision: str | None, error: Exception) -> str:
    """What went wrong, and what to do."""
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
    if isinstance(error, OSError) and (error.filename or error.errno in DISK):
        from huggingface_hub import constants

        return f"{what}: {error_text(error, constants.HF_HUB_CACHE)}"
    return f"{what} could not be fetched ({one_line(str(error) or type(error).__name__, 160)}): try again, it goes on"
