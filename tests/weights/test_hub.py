"""Downloads from a local hub: the files that are fetched, cached, resumed and checked, and the errors."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import contralto
from contralto.encoder import create, save

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.ThreadingHTTPServer):
    """A hub with repositories by name: file -> content. It records every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.cut: set[str] = set()  # files whose first download breaks off halfway
        self.lie: set[str] = set()  # files with other content than announced
        self.gated: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        part = self.headers.get("Range", "")
        self.server.asked.append(f"{self.command} {self.path} {part}".strip())
        pieces = self.path.partition("?")[0].strip("/").split("/")
        if pieces[:2] == ["api", "models"]:
            return self.describe("/".join(pieces[2:4]))
        name, file = "/".join(pieces[:2]), pieces[-1]
        content = self.server.repositories.get(name, {}).get(file)
        if content is None:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        tag = hashlib.sha256(content).hexdigest()
        headers = {
            "ETag": f'"{tag}"',
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{tag}"',
            "X-Linked-Size": str(len(content)),
        }
        headers["Accept-Ranges"] = "bytes"
        if self.command == "GET" and file in self.server.lie:
            content = bytes(len(content))
        status = 200
        if part.startswith("bytes="):
            begin = int(part.removeprefix("bytes=").rstrip("-").split("-")[0])
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            content, status = content[begin:], 206
        if self.command == "GET" and file in self.server.cut:
            self.server.cut.discard(file)
            self.answer(status, content, headers, only=len(content) // 2)
            self.close_connection = True
            return None
        return self.answer(status, content, headers)

    def describe(self, name: str) -> None:
        if name in self.server.gated:
            return self.answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        if name not in self.server.repositories:
            return self.answer(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})
        siblings = []
        for file, content in self.server.repositories[name].items():
            sibling: dict[str, Any] = {"rfilename": file, "size": len(content), "blobId": "0" * 40}
            if file.endswith((".safetensors", ".bin")):
                sibling["lfs"] = {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "pointerSize": 130,
                }
            siblings.append(sibling)
        told = {
            "_id": "0" * 24,
            "id": name,
            "sha": COMMIT,
            "siblings": siblings,
            "tags": [],
            "private": False,
            "downloads": 0,
            "likes": 0,
        }
        return self.answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def answer(self, status: int, content: bytes, headers: dict[str, str], only: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content if only is None else content[:only])


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model as its own folder, as open_clip's and as transformers'. Read it only."""
    folder = tmp_path_factory.mktemp("layouts")
    save(folder / "made", *create("tiny", seed=0))
    for layout in ("open_clip", "transformers"):
        contralto.load(folder / "made").save(folder / layout, layout)
    return folder


@pytest.fixture
def hub(layouts: Path) -> Iterator[Hub]:
    server = Hub()
    for layout in ("open_clip", "transformers"):
        server.repositories[f"me/{layout}"] = {path.name: path.read_bytes() for path in (layouts / layout).iterdir()}
    server.repositories["me/open_clip"] |= {
        "README.md": b"# much",
        "pytorch_model.bin": b"old",
        "flax.msgpack": b"other",
    }
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


PROGRAM = """
import sys, contralto
seen = []
connected = []
sys.addaudithook(lambda event, arguments: connected.append(event) if event == "socket.connect" else None)
try:
    tell = lambda done, total: seen.append((done, total))
    clip = contralto.load(sys.argv[1], revision=sys.argv[2] or None, progress=tell)
except contralto.ContraltoError as error:
    print("error", error)
else:
    print("ok", clip.contract.name, clip.contract.provenance.source, clip.encode_text("a red circle")[:3])
    print(len(connected), seen[-1] if seen else None, "huggingface_hub" in sys.modules)
"""


@pytest.fixture
def load(hub: Hub, tmp_path: Path):
    """load(name): the output of a new process that has its own caches in the test's folder."""

    def run(name: str, revision: str = "", **environment: str) -> list[str]:
        given = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        given |= {
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(tmp_path / "hf"),
            "CONTRALTO_CACHE": str(tmp_path / "cache"),
        }
        given |= {"HF_HUB_DOWNLOAD_TIMEOUT": "5"} | environment
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, name, revision],
            env=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_only_what_is_needed_is_fetched_and_only_once(hub: Hub, load) -> None:
    first = load("hf:me/open_clip")
    assert first[0].startswith("ok tiny me/open_clip")
    fetched = {
        line.split()[1].rpartition("/")[2] for line in hub.asked if line.startswith("GET") and "/resolve/" in line
    }
    assert fetched == {"open_clip_config.json", "open_clip_model.safetensors"}
    size = sum(len(hub.repositories["me/open_clip"][name]) for name in fetched)
    assert first[1].split(maxsplit=1)[1] == f"({size}, {size}) True"
    asked = len(hub.asked)
    again = load("hf:me/open_clip")
    assert again[0] == first[0]
    assert again[1] == "0 None False"  # no connection, and the client is not imported
    assert len(hub.asked) == asked


def test_a_revision_is_its_own(hub: Hub, load) -> None:
    load("hf:me/open_clip")
    asked = len(hub.asked)
    assert load("hf:me/open_clip", COMMIT)[0].startswith("ok")
    assert len(hub.asked) > asked


def test_an_interrupted_download_goes_on(hub: Hub, load) -> None:
    hub.cut.add("model.safetensors")
    for _ in range(3):
        printed = load("hf:me/transformers")
        if printed[0].startswith("ok"):
            break
        assert "try again" in printed[0]
    assert printed[0].startswith("ok")
    assert any("bytes=" in line for line in hub.asked if "model.safetensors" in line)


def test_a_file_that_is_not_what_the_hub_states_is_removed(hub: Hub, load, tmp_path: Path) -> None:
    hub.lie.add("open_clip_model.safetensors")
    (told,) = load("hf:me/open_clip")
    assert "is not what the hub has" in told
    assert not [path for path in (tmp_path / "hf").rglob("*model.safetensors") if path.exists()]
    hub.lie.clear()
    assert load("hf:me/open_clip")[0].startswith("ok")


def test_offline_is_respected_and_what_is_there_is_used(hub: Hub, load, tmp_path: Path) -> None:
    (told,) = load("hf:me/open_clip", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set" in told
    assert hub.asked == []
    load("hf:me/open_clip")
    for path in (tmp_path / "cache").iterdir():  # as if another program had fetched it
        path.unlink()
    asked = len(hub.asked)
    assert load("hf:me/open_clip", HF_HUB_OFFLINE="1")[0].startswith("ok")
    assert len(hub.asked) == asked


@pytest.mark.parametrize(
    ("name", "said"),
    [("hf:me/nothing", "no such repository"), ("hf:me/gated", "accept its terms"), ("hf:me/empty", "no weight file")],
)
def test_failures_are_one_line_that_says_what_to_do(hub: Hub, load, name: str, said: str) -> None:
    hub.gated.add("me/gated")
    hub.repositories["me/empty"] = {"README.md": b"nothing"}
    (told,) = load(name)
    assert told.startswith("error")
    assert said in told


@pytest.mark.parametrize(
    "written",
    [
        "hf:me/made",
        "hf-hub:me/made",
        "HF-Hub:me/made",
        "hf://me/made",
        "https://huggingface.co/me/made/",
        "https://hf.co/me/made",
    ],
)
def test_a_repository_may_be_named_as_the_field_does(
    layouts: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    asked = []
    monkeypatch.setattr("contralto.weights.hub.fetch", lambda hub_id, **_: asked.append(hub_id) or layouts / "made")
    assert contralto.load(written).contract.provenance.source == "me/made"
    assert asked == ["me/made"]


@pytest.mark.parametrize("written", ["hf:", "hf:one", "hf-hub:a/b/c", "https://huggingface.co/a"])
def test_what_is_no_repository_is_one_line(written: str) -> None:
    with pytest.raises(contralto.ContraltoError, match="is no repository of the hub: they are called OWNER/NAME"):
        contralto.load(written)


def test_the_registry_answers_without_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Common spellings lead to the repository in the registry; no other repository is requested."""
    asked = []

    def fetch(hub_id: str, **_: object) -> Path:
        asked.append(hub_id)
        raise contralto.ContraltoError("asked")

    monkeypatch.setattr("contralto.weights.hub.fetch", fetch)
    for written in ("ViT-B/32", "ViT-B-32::openai", "openai/clip-vit-base-patch32"):
        with pytest.raises(contralto.ContraltoError, match=r"^asked$"):
            contralto.load(written)
    for written in ("ViT-B-32", "google/siglip-base-patch16-224", "https://example.org/model.pt"):
        with pytest.raises(contralto.ContraltoError, match=r"weights are called|hf:google|is a web address"):
            contralto.load(written)
    assert asked == ["timm/vit_base_patch32_clip_224.openai"] * 3


@pytest.mark.parametrize("name", ["errno", "file"])
def test_a_full_disk_is_told_with_the_place(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device") if name == "errno" else OSError(28, "No space left", "/hf/blob")

    monkeypatch.setattr("contralto.weights.hub._download", full)
    with pytest.raises(contralto.ContraltoError, match=r"^me/x: /.*: no space left") as caught:
        contralto.load("hf:me/x")
    assert "try again" not in str(caught.value)


def test_no_hub_at_all_is_one_line(load) -> None:
    (told,) = load("hf:me/open_clip", HF_ENDPOINT="http://127.0.0.1:9")
    assert "could not be fetched" in told


def test_the_registry_knows_better_than_the_file(
    layouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository whose configuration has lost QuickGELU: the registry's activation is used, with a note."""
    from contralto.weights import from_name, registry

    known = registry.RegistryEntry("tiny/lost", "me/lost", 0.5, "MIT", "circles", activation="quickgelu")
    source = shutil.copytree(layouts / "open_clip", tmp_path / "open_clip")
    config = json.loads((source / "open_clip_config.json").read_text())
    config["model_cfg"]["quick_gelu"] = False
    (source / "open_clip_config.json").write_text(json.dumps(config))
    monkeypatch.setattr(registry, "entries", lambda: {known.name: known})
    monkeypatch.setattr("contralto.weights.hub.fetch", lambda hub_id, **_: source)
    contract = from_name.read("tiny/lost").contract
    assert contract.text.tower.activation == contract.image.tower.activation == "quickgelu"
    assert (contract.name, contract.licence, contract.provenance.source) == ("tiny/lost", "MIT", "me/lost")
    assert "by Contralto's registry, against the file: image activation, text activation" in (
        contract.provenance.converted_from or ""
    )
    with pytest.raises(contralto.ContraltoError, match="activation='gelu' cannot be set: tiny/lost has 'quickgelu'"):
        from_name.read("tiny/lost", from_name.Choices(activation="gelu"))
