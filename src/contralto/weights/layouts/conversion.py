"""A layout as data: for each tensor of a foreign file, the native tensors that it holds and their form.

A layout is a list of parts. `import_tensors` reads a file by it and `export_tensors` writes one, so a written file
reads back bit for bit. Views of the file stay views where the form allows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from contralto.errors import WeightsError
from contralto.weights.checkpoint import StoredTensor, check_tensors
from contralto.weights.names import Shape

# The dtypes that may be computed with, as weight files call them.
FLOAT_DTYPES = ("F32", "F16", "BF16")

# Names of the tensors of a norm (and of a linear map or convolution), and of a batch norm.
NORM = ("weight", "bias")
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Part:
    """One foreign tensor. native: the native tensors that it holds, several if they are stacked.

    form: "same"; "transposed": the foreign tensor is the transpose of the native one; "stacked": the native tensors
        follow each other along the first dimension (a fused q, k, v).
    ones: number of leading dimensions of size 1 in the foreign shape: 2 for a class token of shape (1, 1, W).
    """

    foreign: str
    native: tuple[str, ...]
    form: Literal["same", "transposed", "stacked"] = "same"
    ones: int = 0


def import_tensors(
    tensors: Mapping[str, StoredTensor],
    layout: Sequence[Part],
    shapes: Mapping[str, Shape],
    where: str,
    *,
    ignored: Iterable[str] = (),
) -> dict[str, StoredTensor]:
    """The tensors of a foreign file under native names. shapes: `expected(contract)`.

    ignored: names in the file that are no weights. Raises WeightsError, which lists missing and unknown tensors and
    wrong shapes; also for a tensor that is not a float of 16 or 32 bits.
    """
    skipped = set(ignored)
    given = {name: stored for name, stored in tensors.items() if name not in skipped}
    wanted = foreign_shapes(layout, shapes)
    check_tensors({name: stored.shape for name, stored in given.items()}, wanted, where)
    for name, stored in given.items():
        if stored.dtype not in FLOAT_DTYPES:
            raise WeightsError(f"{where}: tensor {name!r} is stored as {stored.dtype}, which is no weight here")
    native: dict[str, StoredTensor] = {}
    for part in layout:
        dtype, array = given[part.foreign]
        match part.form:
            case "same":
                native[part.native[0]] = StoredTensor(dtype, array.reshape(shapes[part.native[0]]))
            case "transposed":
                native[part.native[0]] = StoredTensor(dtype, np.ascontiguousarray(array.T))
            case "stacked":
                begin = 0
                for name in part.native:
                    length = shapes[name][0]
                    native[name] = StoredTensor(dtype, array[begin : begin + length])
                    begin += length
            case _ as unknown:
                assert_never(unknown)
    return {name: native[name] for name in shapes}


def export_tensors(tensors: Mapping[str, StoredTensor], layout: Sequence[Part], where: str) -> dict[str, StoredTensor]:
    """Native tensors under foreign names, in their stored dtypes. Tensors to be stacked that have different ones (some
    are changed by an adaptation) are stacked in float32, which holds them exactly.

    Raises WeightsError for int8 weights.
    """
    foreign: dict[str, StoredTensor] = {}
    for part in layout:
        dtypes = {tensors[name].dtype for name in part.native}
        if not dtypes <= set(FLOAT_DTYPES):
            kinds = ", ".join(sorted(dtypes))
            raise WeightsError(f"{where}: {part.foreign} cannot be written from weights stored as {kinds}")
        arrays = [tensors[name].array for name in part.native]
        if len(dtypes) > 1:
            dtypes, arrays = {"F32"}, [tensors[name].float32() for name in part.native]
        match part.form:
            case "same":
                array = arrays[0].reshape((1,) * part.ones + arrays[0].shape)
            case "transposed":
                array = np.ascontiguousarray(arrays[0].T)
            case "stacked":
                array = np.concatenate(arrays)
            case _ as unknown:
                assert_never(unknown)
        foreign[part.foreign] = StoredTensor(dtypes.pop(), array)
    return foreign


def foreign_shapes(layout: Sequence[Part], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Name -> shape of each tensor of a foreign file in this layout. shapes: `expected(contract)`."""
    return {part.foreign: _foreign_shape(part, shapes) for part in layout}


def pairs(foreign: str, native: str, names: Iterable[str]) -> list[Part]:
    """A part for each name, such as "weight": the foreign tensor FOREIGN.weight holds the native NATIVE.weight."""
    return [Part(f"{foreign}.{name}", (f"{native}.{name}",)) for name in names]


def _foreign_shape(part: Part, shapes: Mapping[str, Shape]) -> Shape:
    first = shapes[part.native[0]]
    match part.form:
        case "same":
            return (1,) * part.ones + first
        case "transposed":
            return first[::-1]
        case "stacked":
            return (sum(shapes[name][0] for name in part.native), *first[1:])
        case _ as unknown:
            assert_never(unknown)
