"""Views of pictures: crops, low resolution and drawings, so that the heads learn the tower's features of them.

Every function maps float pixels (N, 3, 224, 224) in 0..255 to the same and draws from the given generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

View = Callable[[Tensor, Generator], Tensor]


def whole(x: Tensor, random: Generator) -> Tensor:
    """The unchanged picture."""
    return x


def mirrored(x: Tensor, random: Generator) -> Tensor:
    """The mirrored picture."""
    return x.flip(3)


def crop(x: Tensor, random: Generator) -> Tensor:
    """45 to 100% of the area at an aspect of 3/4 to 4/3, half of them mirrored."""
    n = len(x)
    area = _uniform(n, 0.45, 1.0, random)
    aspect = _uniform(n, math.log(3 / 4), math.log(4 / 3), random).exp()
    wide, high = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    flip = torch.where(torch.rand(n, generator=random) < 0.5, -1.0, 1.0)
    return _placed(
        x, wide * flip, high, _uniform(n, -1, 1, random) * (1 - wide), _uniform(n, -1, 1, random) * (1 - high)
    )


def recoloured(x: Tensor, random: Generator) -> Tensor:
    """A crop with other brightness, contrast and saturation."""
    x, n = crop(x, random), len(x)
    x = x * _uniform(n, 0.6, 1.35, random)[:, None, None, None]
    mean, plain = x.mean(dim=(1, 2, 3), keepdim=True), grey(x, random)
    x = mean + (x - mean) * _uniform(n, 0.6, 1.4, random)[:, None, None, None]
    return (plain + (x - plain) * _uniform(n, 0.2, 1.6, random)[:, None, None, None]).clamp(0, 255)


def small(x: Tensor, random: Generator) -> Tensor:
    """Reduced to 28 to 64 pixels per side and enlarged again; half of the time a crop."""
    x = crop(x, random) if torch.rand((), generator=random) < 0.5 else x
    return resampled(x, int(torch.randint(28, 65, (), generator=random)))


def resampled(x: Tensor, side: int) -> Tensor:
    """Reduced to `side` pixels and enlarged again."""
    x = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True).round()
    return F.interpolate(x, size=(224, 224), mode="bicubic").clamp(0, 255)


def grey(x: Tensor, random: Generator) -> Tensor:
    """Black and white."""
    return (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True).expand_as(x)


def sketch(x: Tensor, random: Generator) -> Tensor:
    """Dark lines on white: the picture divided by its blur (pencil), or outlines where brightness changes (pen)."""
    y, width = grey(x, random)[:, :1], float(_uniform(1, 1.2, 4, random))
    if torch.rand((), generator=random) < 0.5:
        lit = (y / (_blur(y, width) + 1) * 255).clamp(0, 255)
        lines = 255 - (255 - lit) * float(_uniform(1, 1.5, 4, random))
    else:
        lines = 255 - 255 * torch.sigmoid((_edges(_blur(y, width / 2)) - float(_uniform(1, 1.2, 2.2, random))) * 6)
    return lines.clamp(0, 255).expand_as(x)


def cartoon(x: Tensor, random: Generator) -> Tensor:
    """Blurred, quantised to a few levels, more saturated, often with dark outlines."""
    blurred = _blur(x, float(_uniform(1, 0.8, 2.5, random)))
    levels = int(torch.randint(3, 7, (), generator=random))
    y = (blurred / 255 * levels).round() / levels * 255
    plain = y.mean(dim=1, keepdim=True)
    y = (plain + (y - plain) * float(_uniform(1, 1, 1.8, random))).clamp(0, 255)
    if torch.rand((), generator=random) < 0.6:
        y = y * (1 - 0.85 * torch.sigmoid((_edges(grey(blurred, random)[:, :1]) - 3) * 4))
    return y


def drawn(x: Tensor, random: Generator) -> Tensor:
    """grey, sketch or cartoon."""
    return (grey, sketch, cartoon)[int(torch.randint(3, (), generator=random))](x, random)


def emoji(rgba: Tensor, random: Generator | None) -> Tensor:
    """RGBA (N, 4, 64, 64) on white, filling the picture; with a generator at a random size, half on a random colour."""
    alpha = rgba[:, 3:] / 255
    x = torch.cat([rgba[:, :3] * alpha, alpha], dim=1)
    x = F.interpolate(x, size=(224, 224), mode="bicubic", antialias=True)
    ground = torch.full((len(x), 3, 1, 1), 255.0)
    if random is not None:
        n, reach = len(x), _uniform(len(x), 0.85, 1.6, random)
        free = 0.8 * (reach - 1).abs()
        x = _placed(x, reach, reach, _uniform(n, -1, 1, random) * free, _uniform(n, -1, 1, random) * free, "zeros")
        coloured = (torch.rand(n, generator=random) < 0.5)[:, None, None, None]
        ground = torch.where(coloured, torch.rand(n, 3, 1, 1, generator=random) * 255, ground)
    return (x[:, :3] + ground * (1 - x[:, 3:].clamp(0, 1))).clamp(0, 255)


def _placed(x: Tensor, wide: Tensor, high: Tensor, right: Tensor, down: Tensor, beyond: str = "reflection") -> Tensor:
    """The window of these half widths and centres, in units of half the picture, resized to the picture's size."""
    zero = torch.zeros_like(wide)
    affine = torch.stack([torch.stack([wide, zero, right], 1), torch.stack([zero, high, down], 1)], 1)  # (N, 2, 3)
    grid = F.affine_grid(affine, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False, padding_mode=beyond)


def _blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur."""
    reach = int(3 * sigma)
    weights = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma * sigma))
    weights, channels = weights / weights.sum(), x.shape[1]
    across, along = weights.expand(channels, 1, 1, -1), weights[:, None].expand(channels, 1, -1, 1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="reflect"), across, groups=channels)
    return F.conv2d(F.pad(x, (0, 0, reach, reach), mode="reflect"), along, groups=channels)


def _edges(x: Tensor) -> Tensor:
    """Gradient magnitude of (N, 1, h, w), in units of its mean."""
    right = F.pad(x[..., :, 1:] - x[..., :, :-1], (0, 1, 0, 0))
    down = F.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    size = (right**2 + down**2).sqrt()
    return size / (size.mean(dim=(2, 3), keepdim=True) + 1)


def _uniform(n: int, low: float, high: float, random: Generator) -> Tensor:
    return torch.rand(n, generator=random) * (high - low) + low
