"""The compiled pass of `resample`; see `_resample.c` for what it computes."""

import numpy as np
from numpy.typing import NDArray

AVX2: bool  # whether this processor has it
LANES: int  # weights per output come in multiples of this

def resample(
    lines: bytes | NDArray[np.uint8],
    starts: NDArray[np.int32],
    weights: NDArray[np.int32],
    out: NDArray[np.uint8],
    standing: bool,
    avx2: bool,
    /,
) -> None: ...
