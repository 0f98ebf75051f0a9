"""The former names that documentation used still work in this release, and name the new ones."""

import importlib

import pytest


@pytest.mark.parametrize(
    ("former", "name", "module"),
    [
        ("contralto.data.classes", "ClassFolders", "contralto.data.class_folders"),
        ("contralto.train.towers", "load_tower", "contralto.train.load_tower"),
    ],
)
def test_a_former_module_gives_the_same_object_and_warns(former, name, module):
    if module.startswith("contralto.train"):
        pytest.importorskip("torch")
    with pytest.warns(DeprecationWarning, match=f"{former} is now called {module}"):
        old = importlib.import_module(former)
    assert getattr(old, name) is getattr(importlib.import_module(module), name)
