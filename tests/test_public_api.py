"""The public API: every name is there, and importing the package loads nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.paths import TESTS

import contralto

HEAVY = {"torch", "openvino", "PIL", "numpy", "safetensors", "regex", "ftfy", "huggingface_hub", "rich"}


def loaded_after(code: str) -> set[str]:
    """Names of all modules that a fresh process holds after `code`."""
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split())


def test_importing_loads_nothing():
    modules = loaded_after("import contralto; contralto.__version__; dir(contralto)")
    assert not modules & HEAVY
    assert {name for name in modules if name.startswith("contralto.")} == {"contralto.version"}


def test_the_clip_class_needs_neither_torch_nor_a_runtime():
    modules = loaded_after("import contralto; contralto.Clip, contralto.load, contralto.create, contralto.save")
    assert not modules & {"torch", "openvino"}


def test_the_core_works_without_torch(tmp_path):
    """With torch made unimportable: load, encode and classify; `create` and `torch` name the extra."""
    script = f"""
import sys
sys.modules["torch"] = None
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from support.fake_engine import picture, write_random
import contralto
from contralto.contract import preset
folder = Path({str(tmp_path)!r})
write_random(folder, preset("tiny"))
clip = contralto.load(folder)
assert clip.classify(picture(0), ["cat", "dog"])[0].label in ("cat", "dog")
for call in (lambda: contralto.create("tiny"), clip.torch, lambda: contralto.load(folder, engine="eager")):
    try:
        call()
    except contralto.ContraltoError as error:
        assert "pip install 'contralto[torch]'" in str(error), error
    else:
        raise SystemExit("no error without torch")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_all_names_resolve_and_are_listed():
    for name in contralto.__all__:
        assert getattr(contralto, name) is getattr(contralto, name)
        assert name in dir(contralto)
    from contralto.encoder import Clip, load

    assert (contralto.Clip, contralto.load) == (Clip, load)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="lod"):
        contralto.lod  # noqa: B018
