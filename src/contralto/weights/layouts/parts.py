"""A layout as data: which tensor of a foreign file holds which of ours, and in what form.

A layout is a list of parts. `imported` reads a file by it, `exported` writes one by it; so a layout is stated once,
and what is written is what would be read, bit for bit. Views of the file stay views wherever the form allows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from contralto.errors import WeightsError
from contralto.weights.checkpoint import Stored, account
from contralto.weights.names import Shape

# As stored in a weight file: what may be computed with.
NUMBERS = ("F32", "F16", "BF16")


@dataclass(frozen=True)
class Part:
    """One foreign tensor. `native`: the tensors of ours that it holds, one, or several that are stacked.

    form: "same"; "transposed": the foreign one is the transpose of ours; "stacked": ours, of equal first dimension or
        not, follow each other along the first dimension (a fused q, k, v).
    ones: dimensions of size 1 that the foreign shape has before ours, as in a class token of shape (1, 1, W).
    """

    foreign: str
    native: tuple[str, ...]
    form: Literal["same", "transposed", "stacked"] = "same"
    ones: int = 0


def imported(
    tensors: Mapping[str, Stored],
    layout: Sequence[Part],
    shapes: Mapping[str, Shape],
    where: str,
    *,
    ignored: Iterable[str] = (),
) -> dict[str, Stored]:
    """The tensors of a foreign file under our names. shapes: those of `expected(contract)`.

    ignored: names that may stand in the file and mean nothing. Raises WeightsError, which lists them, for tensors
    that are missing, left over or of another shape, and for one that is not stored as a float of 16 or 32 bits.
    """
    skipped = set(ignored)
    given = {name: stored for name, stored in tensors.items() if name not in skipped}
    wanted = foreign_shapes(layout, shapes)
    account({name: stored.shape for name, stored in given.items()}, wanted, where)
    for name, stored in given.items():
        if stored.dtype not in NUMBERS:
            raise WeightsError(f"{where}: tensor {name!r} is stored as {stored.dtype}, which is no weight here")
    found: dict[str, Stored] = {}
    for part in layout:
        dtype, array = given[part.foreign]
        if part.form == "stacked":
            begin = 0
            for name in part.native:
                rows = shapes[name][0]
                found[name] = Stored(dtype, array[begin : begin + rows])
                begin += rows
        elif part.form == "transposed":
            found[part.native[0]] = Stored(dtype, np.ascontiguousarray(array.T))
        else:
            found[part.native[0]] = Stored(dtype, array.reshape(shapes[part.native[0]]))
    return {name: found[name] for name in shapes}


def exported(tensors: Mapping[str, Stored], layout: Sequence[Part], where: str) -> dict[str, Stored]:
    """Our tensors under the foreign names, in the dtype in which they are stored.

    Raises WeightsError for int8 weights, and for parts of one tensor that are stored in different dtypes.
    """
    found: dict[str, Stored] = {}
    for part in layout:
        dtypes = {tensors[name].dtype for name in part.native}
        if len(dtypes) > 1 or not dtypes <= set(NUMBERS):
            kinds = ", ".join(sorted(dtypes))
            raise WeightsError(f"{where}: {part.foreign} cannot be written from weights stored as {kinds}")
        arrays = [tensors[name].array for name in part.native]
        if part.form == "stacked":
            array = np.concatenate(arrays)
        elif part.form == "transposed":
            array = np.ascontiguousarray(arrays[0].T)
        else:
            array = arrays[0].reshape((1,) * part.ones + arrays[0].shape)
        found[part.foreign] = Stored(dtypes.pop(), array)
    return found


def foreign_shapes(layout: Sequence[Part], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Name -> shape of a foreign file in this layout. shapes: those of `expected(contract)`."""
    return {part.foreign: _foreign_shape(part, shapes) for part in layout}


def _foreign_shape(part: Part, shapes: Mapping[str, Shape]) -> Shape:
    first = shapes[part.native[0]]
    if part.form == "transposed":
        return first[::-1]
    if part.form == "stacked":
        return (sum(shapes[name][0] for name in part.native), *first[1:])
    return (1,) * part.ones + first
