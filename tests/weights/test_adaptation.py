"""adaptation.json and its tensors: written and read back, and every damage refused in one line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import adaptations
from support.adaptations import CLASSES, CLASSIFIERS, described

from contralto.contract import preset
from contralto.errors import ContraltoError, WeightsError
from contralto.weights import adaptation
from contralto.weights.adaptation import ADAPTATION_FILE, TENSORS_FILE, StoredAdaptation
from contralto.weights.tensorfile import write_tensors

CONTRACT = preset("tiny")
WIDTH = CONTRACT.embedding
MATRIX = "text.blocks.0.attention.q"


def tensors_of(method: str) -> dict[str, Any]:
    match method:
        case "adapter":
            return adaptations.adapter(WIDTH, towers=("image", "text"))
        case "long":
            return {"pooler.query": np.ones(3, np.float32)}
        case "lora" | "projection":
            return adaptations.pairs(CONTRACT, (MATRIX, "image.head.linear"))
        case "full":
            return {f"{MATRIX}.weight": np.full((2, 2), 0.5, np.float16), "text.norm_post.bias": np.ones(4)}
        case _:
            return adaptations.classifier_tensors(method, WIDTH)


def written(folder: Path, method: str = "kernel", **changes: Any) -> StoredAdaptation:
    return adaptations.write(folder, method, CONTRACT, tensors_of(method), "nano", **changes)


@pytest.mark.parametrize("method", [*CLASSIFIERS, "projection", "lora", "full", "adapter", "long"])
def test_what_is_written_is_read_back(tmp_path: Path, method: str) -> None:
    stored, given = written(tmp_path / "new" / "folder", method), tensors_of(method)
    assert stored.tensors.keys() == given.keys()
    for name, array in given.items():
        half = np.asarray(array).dtype == np.float16
        assert stored.tensors[name].dtype == ("F16" if half else "F32")
        assert np.array_equal(stored.array(name), np.asarray(array, np.float32))
    described_again = stored.description.replace(file=TENSORS_FILE, sha256="")
    assert described_again == described(method, CONTRACT, "nano")
    assert stored.description.labels == ("cat", "dog", "red circle")
    again = adaptation.read(stored.folder / ADAPTATION_FILE)
    assert again.description == stored.description
    assert stored.description.sha256 == hashlib.sha256((stored.folder / TENSORS_FILE).read_bytes()).hexdigest()


def test_the_file_has_the_documented_fields_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    written(tmp_path, settings={"beta": 2, "strength": np.float32(0.5)}, measured={"folds": [0.5, None]})
    stated = json.loads((tmp_path / ADAPTATION_FILE).read_text())
    fields = "adaptation method base classes templates settings file sha256 trained_on measured licence provenance"
    assert [*stated] == fields.split()
    assert [*stated["base"]] == ["name", "contract", "source"]
    assert [*stated["trained_on"]] == ["set", "split", "items", "sha256"]
    assert stated["settings"] == {"beta": 2.0, "strength": 0.5}
    assert type(stated["settings"]["beta"]) is float
    assert stated["classes"] == [list(names) for names in CLASSES]
    assert (tmp_path / "index.html").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", ADAPTATION_FILE, TENSORS_FILE}


def test_a_folder_is_known_by_its_file(tmp_path: Path) -> None:
    assert not adaptation.is_adaptation(tmp_path)
    written(tmp_path)
    assert adaptation.is_adaptation(tmp_path)
    assert adaptation.is_adaptation(os.fsencode(tmp_path))
    assert adaptation.is_adaptation(tmp_path / ADAPTATION_FILE)
    assert not adaptation.is_adaptation(tmp_path / TENSORS_FILE)
    assert not adaptation.is_adaptation("x" * 5000)
    with pytest.raises(WeightsError, match="there is no adaptation in"):
        adaptation.read(tmp_path / "nowhere")


def refused(folder: Path, match: str | None = None) -> str:
    with pytest.raises(ContraltoError, match=match) as caught:
        adaptation.read(folder)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000
    return message


def restate(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / ADAPTATION_FILE
    stated = json.loads(path.read_text())
    change(stated)
    path.write_text(json.dumps(stated))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("adaptation", 2, "upgrade"),
        ("adaptation", 0, "states no version"),
        ("adaptation", "1", "states no version"),
        ("adaptation", True, "states no version"),
        ("new", 1, "unknown field 'new'"),
        ("method", "magic", "must be one of"),
        ("method", ["kernel"], "must be one of"),
        ("base", None, "must be an object"),
        ("base.extra", 1, "unknown field"),
        ("base.contract", "abc", "64 hexadecimal digits"),
        ("base.contract", "A" * 64, "64 hexadecimal digits"),
        ("base.source", 3, "must be of type str"),
        ("classes", None, "kernel needs classes"),
        ("classes", [], "classes is empty"),
        ("classes", [["cat"], []], "each class needs a name"),
        ("classes", [["cat"], [" "]], "no name may be empty"),
        ("classes", ["cat"], "must be a list"),
        ("classes", [["cat"], ["dog"]], "not \\(2, 32\\)|not \\(2, "),
        ("templates", ["no place"], "must contain {}"),
        ("templates", "a {}", "must be a list"),
        ("settings", [], "must be an object"),
        ("settings.beta", 5, "must be a float"),
        ("settings.beta", float("nan"), "not finite"),
        ("settings.beta", float("inf"), "not finite"),
        ("settings.beta", -0.5, "must be a float"),
        ("settings.beta", None, "must be a float"),
        ("settings.temperature", 1, "must be a float"),
        ("settings.temperature", 0.0, "must be a float"),
        ("settings.temperature", float("nan"), "not finite"),
        ("settings.temperature", True, "must be a float"),
        ("settings.deep", {"a": [{"b": float("-inf")}]}, "not finite"),
        ("settings.name", "\ud800", "invalid Unicode"),
        ("file", "../adaptation.safetensors", "plain file name"),
        ("file", "/etc/passwd", "plain file name"),
        ("file", "a\\b", "plain file name"),
        ("file", "", "plain file name"),
        ("file", "..", "plain file name"),
        ("file", "x" * 300, "plain file name"),
        ("file", "gone.safetensors", "gone.safetensors"),
        ("sha256", "0" * 64, "its sha256 is"),
        ("sha256", None, "must be of type str"),
        ("trained_on.items", -1, "is a count"),
        ("trained_on.items", 1.5, "must be of type int"),
        ("measured", 3, "must be an object"),
        ("licence", 3, "must be of type str"),
    ],
)
def test_every_wrong_field_is_refused(tmp_path: Path, path: str, value: Any, said: str) -> None:
    written(tmp_path)
    *outer, last = path.split(".")

    def change(stated: dict[str, Any]) -> None:
        for key in outer:
            stated = stated[key]
        stated[last] = value

    restate(tmp_path, change)
    refused(tmp_path, said)


@pytest.mark.parametrize("field", ["adaptation", "method", "base"])
def test_a_missing_field_is_refused(tmp_path: Path, field: str) -> None:
    written(tmp_path)
    restate(tmp_path, lambda stated: stated.pop(field))
    refused(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"adaptation": 1}', b'{"adaptation": 1, "adaptation": 1}',
        b'{"a":' * 100_000, b"[" * 100_000, b'{"adaptation": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_description_is_refused(tmp_path: Path, text: bytes) -> None:
    written(tmp_path)
    (tmp_path / ADAPTATION_FILE).write_bytes(text)
    refused(tmp_path)


def test_a_description_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    written(tmp_path)
    with open(tmp_path / ADAPTATION_FILE, "r+b") as file:
        file.truncate(2**40)  # a sparse file
    refused(tmp_path, "bytes are refused")


def test_deep_figures_are_no_stack_overflow(tmp_path: Path) -> None:
    written(tmp_path)
    deep: Any = 1.0
    for _ in range(300):
        deep = [deep]
    restate(tmp_path, lambda stated: stated.update(measured={"deep": deep}))
    assert adaptation.read(tmp_path).description.measured["deep"]


def replace_tensors(folder: Path, tensors: dict[str, np.ndarray], dtypes: dict[str, str] | None = None) -> None:
    """Puts other tensors in place, with their right sha256."""
    stored = {name: ((dtypes or {}).get(name, "F32"), np.array(a, order="C")) for name, a in tensors.items()}
    with open(folder / TENSORS_FILE, "wb") as file:
        write_tensors(file, stored, {})
    digest = hashlib.sha256((folder / TENSORS_FILE).read_bytes()).hexdigest()
    restate(folder, lambda stated: stated.update(sha256=digest))


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    changed = np.array(array, np.float32)
    changed.flat[-1] = value
    return changed


Mutation = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
MUTATIONS: list[tuple[str, Mutation, str]] = [
    ("kernel", lambda t: {}, "0 tensors"),
    ("kernel", lambda t: {n: a for n, a in t.items() if n != "keys"}, "lacks 'keys'"),
    ("kernel", lambda t: t | {"more": np.ones(1, np.float32)}, "'more': this method has"),
    ("kernel", lambda t: t | {"../../x": np.ones(1, np.float32)}, "this method has"),
    ("kernel", lambda t: t | {"keys": t["weights"], "weights": t["keys"]}, "has shape"),
    ("kernel", lambda t: t | {"keys": t["keys"][:-1]}, "'weights' has shape"),
    ("kernel", lambda t: t | {"keys": t["keys"][:, :-1]}, "'keys' has shape"),
    ("kernel", lambda t: t | {"weights": t["weights"][:, :-1]}, "'weights' has shape"),
    ("kernel", lambda t: t | {"weights": t["weights"].T}, "'weights' has shape"),
    ("kernel", lambda t: t | {"weights": t["weights"][..., None]}, "'weights' has shape"),
    ("kernel", lambda t: t | {"weights": t["weights"][:0], "keys": t["keys"][:0]}, "is empty"),
    ("kernel", lambda t: t | {"weights": with_value(t["weights"], np.nan)}, "not finite"),
    ("kernel", lambda t: t | {"keys": with_value(t["keys"], np.inf)}, "not finite"),
    ("kernel", lambda t: t | {"keys": 1.5 * t["keys"]}, "not of unit length"),
    ("kernel", lambda t: t | {"text": 0 * t["text"]}, "not of unit length"),
    ("kernel", lambda t: t | {"text": t["text"][:2]}, "'text' has shape"),
    ("prototypes", lambda t: t | {"prototypes": -2 * t["prototypes"]}, "not of unit length"),
    ("gaussian", lambda t: t | {"bias": t["bias"][:1]}, "'bias' has shape"),
    ("probe", lambda t: t | {"scale": np.ones(1, np.float32)}, "'scale' has shape"),
    ("probe", lambda t: t | {"scale": np.float32(0)}, "'scale' must be above 0"),
    ("probe", lambda t: t | {"mean": t["mean"][:-1].astype(np.float32)}, "'mean' has shape"),
    ("lora", lambda t: {n: a for n, a in t.items() if n != f"{MATRIX}.B"}, "lacks its other half"),
    ("lora", lambda t: t | {f"{MATRIX}.B": t[f"{MATRIX}.B"][:, :1]}, "not \\(r, in\\) and \\(out, r\\)"),
    ("lora", lambda t: t | {f"{MATRIX}.A": t[f"{MATRIX}.A"][0]}, "not \\(r, in\\) and \\(out, r\\)"),
    ("lora", lambda t: t | {f"{MATRIX}.weight": np.ones((2, 2), np.float32)}, "changed twice"),
    ("lora", lambda t: t | {"logit_scale": np.float32(1)}, "'logit_scale': this method has"),
    ("full", lambda t: {"logit_bias": np.float32(1)}, "this method has image"),
    ("adapter", lambda t: {n: a for n, a in t.items() if n != "text.adapter.B"}, "lacks 'text.adapter.B'"),
    ("adapter", lambda t: t | {"image.adapter.B": t["image.adapter.B"][:, 1:]}, "has shape"),
    ("adapter", lambda t: {n: a for n, a in t.items() if n.startswith("text")}, "lacks 'image.adapter.A'"),
    ("long", lambda t: {"other": np.ones(2, np.float32)}, "'other': this method has pooler"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "mutate", "said"), MUTATIONS)
def test_other_tensors_than_the_methods_are_refused(tmp_path: Path, method: str, mutate: Mutation, said: str) -> None:
    given = {name: np.asarray(array, np.float32) for name, array in tensors_of(method).items()}
    written(tmp_path, method)
    replace_tensors(tmp_path, given)
    adaptation.read(tmp_path)  # these are right
    replace_tensors(tmp_path, mutate(given))
    refused(tmp_path, said)
    with pytest.raises(WeightsError, match=said):
        adaptations.write(tmp_path / "again", method, CONTRACT, mutate(given))
    assert not (tmp_path / "again" / ADAPTATION_FILE).exists()


@pytest.mark.parametrize("dtype", ["I8", "BF16", "I64", "F64", "BOOL"])
def test_other_dtypes_are_refused(tmp_path: Path, dtype: str) -> None:
    kinds = {"I8": np.int8, "BF16": np.uint16, "I64": np.int64, "F64": np.float64, "BOOL": np.bool_}
    written(tmp_path, "zero-shot")
    replace_tensors(tmp_path, {"text": np.ones((3, WIDTH), kinds[dtype])}, {"text": dtype})
    refused(tmp_path, "not as F32 or F16")


def test_every_cut_and_every_flip_is_refused(tmp_path: Path) -> None:
    """Also in the header, where a flip may name another tensor, dtype, shape or place."""
    written(tmp_path)
    path = tmp_path / TENSORS_FILE
    content, generator = path.read_bytes(), np.random.default_rng(0)
    header = 8 + int.from_bytes(content[:8], "little")
    for length in [0, 1, 7, 8, 9, header, len(content) - 1, *generator.integers(0, len(content), 20)]:
        path.write_bytes(content[:length])
        refused(tmp_path)
    for place in [*range(0, header, 3), *generator.integers(header, len(content), 40)]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(flipped)
        refused(tmp_path)
    path.write_bytes(content + b"\0")
    refused(tmp_path)
    path.write_bytes((2**62).to_bytes(8, "little") + content[8:])
    refused(tmp_path, "header")


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_not(tmp_path: Path) -> None:
    stored = written(tmp_path / "mine")
    file = stored.folder / TENSORS_FILE
    outside = tmp_path / "outside.safetensors"
    file.rename(outside)
    file.symlink_to(outside)
    refused(stored.folder, "leads out of the folder")
    file.unlink()
    outside.rename(stored.folder / "real.safetensors")
    file.symlink_to("real.safetensors")
    adaptation.read(stored.folder)
    (tmp_path / "link").symlink_to(stored.folder)
    adaptation.read(tmp_path / "link")


def test_a_pickle_a_pipe_and_a_folder_are_no_tensors(tmp_path: Path) -> None:
    stored = written(tmp_path / "mine")
    file = stored.folder / TENSORS_FILE
    file.write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/x'\ntR.")
    refused(stored.folder)
    file.unlink()
    os.mkfifo(file)
    refused(stored.folder)
    file.unlink()
    file.mkdir()
    refused(stored.folder)
    (stored.folder / ADAPTATION_FILE).unlink()
    os.mkfifo(stored.folder / ADAPTATION_FILE)
    refused(stored.folder, "there is no adaptation")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"beta": float("nan")}}, "cannot hold"),
        ({"settings": {"beta": 1.0, "x": object()}}, "cannot hold"),
        ({"settings": {}}, "settings.beta"),
        ({"classes": None}, "needs classes"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        written(tmp_path / "new", **changes)
    assert not (tmp_path / "new").exists()


def test_a_failure_midway_leaves_the_adaptation_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("contralto.weights.adaptation.digest", full)
    with pytest.raises(WeightsError, match="No space left"):
        written(tmp_path, "gaussian")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
