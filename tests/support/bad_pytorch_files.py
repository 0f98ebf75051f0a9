"""Bad files of PyTorch: pickles that would run code, zip bombs, tensors with false sizes. See bad_files.py."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.bad_files import MARKER, case, put


class Harm:
    """An object whose pickle calls the function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def saved(value: Any, **how: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **how)
    return buffer.getvalue()


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(folder: Path, content: dict[str, bytes], packed: tuple[str, ...] = ()) -> Path:
    with zipfile.ZipFile(folder / "x.pt", "w") as file:
        for name, data in content.items():
            file.writestr(name, data, zipfile.ZIP_DEFLATED if name in packed else zipfile.ZIP_STORED)
    return folder / "x.pt"


def script(folder: Path, code: bytes) -> Path:
    return zipped(folder, {"x/data.pkl": b"\x80\x02" + code + b".", "x/constants.pkl": b"\x80\x02)."})


@case
def pickle_that_runs_code(folder: Path) -> Path:
    """names posix.system, which would run code"""
    return put(folder / "x.pt", saved({"state_dict": {"a": Harm(os.system, f"touch {folder / MARKER}")}}))


@case
def pickle_that_runs_code_in_an_old_file(folder: Path) -> Path:
    """names builtins.eval, which would run code|names __builtin__.eval, which would run code"""
    harm = Harm(eval, f"open({str(folder / MARKER)!r}, 'w')")
    return put(folder / "x.pt", saved({"a": harm}, _use_new_zipfile_serialization=False))


@case
def pickle_that_runs_code_bare(folder: Path) -> Path:
    """names posix.system, which would run code"""
    return put(folder / "x.pt", pickle.dumps(Harm(os.system, f"touch {folder / MARKER}")))


@case
def pickle_that_runs_code_beside_the_weights(folder: Path) -> Path:
    """names posix.system, which would run code"""
    value = {"state_dict": {"a": torch.ones(1)}, "optimizer": [Harm(os.system, f"touch {folder / MARKER}")]}
    return put(folder / "x.pt", saved(value))


@case
def pickled_module(folder: Path) -> Path:
    """names torch.nn.modules.linear.Linear, which would run code"""
    return put(folder / "x.pt", saved(torch.nn.Linear(2, 2)))


@case
def zip_bomb(folder: Path) -> Path:
    """'archive/data.pkl' is compressed or encrypted"""
    return zipped(folder, {"archive/data.pkl": bytes(10_000_000)}, packed=("archive/data.pkl",))


@case
def zip_bomb_of_tensors(folder: Path) -> Path:
    """'archive/data/0' is compressed or encrypted"""
    return zipped(folder, entries(saved({"a": torch.zeros(1_000_000)})), packed=("archive/data/0",))


@case
def zip_with_a_name_outside(folder: Path) -> Path:
    """'archive/../../x' of its zip archive leaves its folder"""
    return zipped(folder, {"archive/data.pkl": b"\x80\x02}.", "archive/../../x": b""})


@case
def zip_cut_off(folder: Path) -> Path:
    """is cut off or damaged"""
    return put(folder / "x.pt", saved({"a": torch.ones(1000)})[:3000])


@case
def storage_cut_off(folder: Path) -> Path:
    """tensor 'a': its storage has 4 bytes"""
    return zipped(folder, entries(saved({"a": torch.ones(1000)})) | {"archive/data/0": b"1234"})


@case
def storage_missing(folder: Path) -> Path:
    """has no entry 'archive/data/0'"""
    content = entries(saved({"a": torch.ones(1000)}))
    del content["archive/data/0"]
    return zipped(folder, content)


@case
def old_file_cut_off(folder: Path) -> Path:
    """is cut off: its tensors need"""
    return put(folder / "x.pt", saved({"a": torch.ones(1000)}, _use_new_zipfile_serialization=False)[:-1])


@case
def tensor_beyond_its_storage(folder: Path) -> Path:
    """tensor 'a' reaches beyond its storage"""
    data = saved({"a": torch.ones(77)}, _use_new_zipfile_serialization=False)
    return put(folder / "x.pt", data.replace(b"K\x4d\x85", b"K\x4e\x85"))


@case
def tensor_that_repeats_a_number(folder: Path) -> Path:
    """tensor 'a' reaches beyond its storage"""
    return put(folder / "x.pt", saved({"a": torch.ones(1).expand(2**40)}))


@case
def tensor_of_endless_sides(folder: Path) -> Path:
    """a negative or an endless side"""
    return put(folder / "x.pt", saved({"a": torch.ones(1).expand(1, 2**31, 2**30)[:0]}))


@case
def sparse_tensor(folder: Path) -> Path:
    """holds a sparse tensor, which is not read"""
    return put(folder / "x.pt", saved({"a": torch.eye(3).to_sparse()}))


@case
def complex_tensor(folder: Path) -> Path:
    """holds a tensor of complex numbers, which is not read"""
    return put(folder / "x.pt", saved({"a": torch.ones(3, dtype=torch.complex64)}))


@case
def no_state_dict(folder: Path) -> Path:
    """holds no state dict: there is epoch, lr, and no tensor among it"""
    return put(folder / "x.pt", saved({"epoch": 3, "lr": 0.1}))


@case
def a_tensor_alone(folder: Path) -> Path:
    """holds no state dict, but a value of type tensor"""
    return put(folder / "x.pt", saved(torch.ones(3)))


@case
def a_state_dict_in_itself(folder: Path) -> Path:
    """nested without end"""
    value: dict[str, Any] = {}
    value["state_dict"] = value
    return put(folder / "x.pt", saved(value))


@case
def written_on_a_big_endian_machine(folder: Path) -> Path:
    """big-endian"""
    return put(folder / "x.pt", saved({"a": torch.ones(3)}).replace(b"little", b"bigbig"))


@case
def duplicate_keys_in_a_pickle(folder: Path) -> Path:
    """the key 'a' occurs twice"""
    data = saved({"a": torch.ones(1), "b": torch.ones(1)}, _use_new_zipfile_serialization=False)
    return put(folder / "x.pt", data.replace(b"\x01\x00\x00\x00b", b"\x01\x00\x00\x00a"))


@case
def old_pickle_that_runs_code(folder: Path) -> Path:
    """neither safetensors nor PyTorch's"""
    return put(folder / "x.pt", b"cos\nsystem\n(S'touch " + str(folder / MARKER).encode() + b"'\ntR.")


@case
def pickled_weights_without_pytorch(folder: Path) -> Path:
    """which would run code|not one of torch.save's"""
    return put(folder / "x.pkl", pickle.dumps({"a": np.ones(3)}))


@case
def scripted_number(folder: Path) -> Path:
    """TorchScript archive of something else than a module"""
    return script(folder, b"K\x01")


@case
def modules_in_a_circle(folder: Path) -> Path:
    """its modules are nested without end"""
    return script(folder, b"c__torch__\nX\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb")


@case
def modules_doubled_without_end(folder: Path) -> Path:
    """its modules are nested without end"""
    twice = b"0c__torch__\nX\n)\x81}X\x01\x00\x00\x00ah\x00sX\x01\x00\x00\x00bh\x00sbq\x00"
    return script(folder, b"c__torch__\nX\n)\x81q\x00" + 31 * twice)


@case
def quantised_script(folder: Path) -> Path:
    """packed .quantised. weights"""
    return script(folder, b"c__torch__\nX\n)\x81K\x07b")
