"""Convolution with any kernel, and random fields of any smoothness. Both use the Fourier transform, so that the time
does not depend on the kernel. The tests compare `convolve` with scipy.ndimage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from contralto.sets.variants.corruptions.pixel_arrays import Pixels

Kernel = NDArray[np.float64]


def convolve(pixels: Pixels, kernel: Kernel) -> Pixels:
    """Convolves (H, W) or (H, W, C) with a kernel (odd, odd), whose centre is its origin; borders are mirrored."""
    rows, columns = (length // 2 for length in kernel.shape)
    wide = np.pad(pixels, ((rows, rows), (columns, columns)) + ((0, 0),) * (pixels.ndim - 2), "symmetric")
    shape = smooth_size(wide.shape[0]), smooth_size(wide.shape[1])
    factor = np.fft.rfft2(kernel, shape)
    planes = np.atleast_3d(wide)
    result = np.empty((*pixels.shape[:2], planes.shape[2]), np.float32)
    for plane in range(planes.shape[2]):
        whole = np.fft.irfft2(np.fft.rfft2(planes[:, :, plane], shape) * factor, shape)
        result[:, :, plane] = whole[2 * rows : wide.shape[0], 2 * columns : wide.shape[1]]
    return result.reshape(pixels.shape)


def field(shape: tuple[int, int], random: np.random.Generator, amplitude: Callable[[Kernel], Kernel]) -> Pixels:
    """A random field (H, W): the spectrum of white noise of variance 1, times `amplitude(cycles per pixel)`.

    The field is periodic, which is not visible when it is laid over a picture.
    """
    noise = np.fft.rfft2(random.standard_normal(shape))
    cycles = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    return np.fft.irfft2(noise * amplitude(cycles), shape).astype(np.float32)


def streak(radius: float, sigma: float, degrees: float) -> Kernel:
    """A kernel with a trail of 2 radius + 1 pixels outwards from the centre, a Gaussian of `sigma`; it sums to 1."""
    reach = int(2 * radius)
    steps = np.arange(2 * reach + 1) / 2
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    y, x = (reach + 1 + part * steps for part in (-np.sin(np.radians(degrees)), np.cos(np.radians(degrees))))
    kernel = np.zeros((2 * reach + 3, 2 * reach + 3))
    for down in (0, 1):
        for right in (0, 1):
            row, column = np.floor(y).astype(int) + down, np.floor(x).astype(int) + right
            np.add.at(kernel, (row, column), weights * (1 - abs(y - row)) * (1 - abs(x - column)))
    kernel /= kernel.sum()
    return kernel


def smooth_size(minimum: int) -> int:
    """The smallest product of powers of 2, 3 and 5 that is at least `minimum`: such transforms are fast."""
    size = minimum
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1
