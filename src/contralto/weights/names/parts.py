"""Names and shapes of the parts that several towers share: linear maps, norms, blocks and heads."""

from __future__ import annotations

from typing import assert_never

from contralto.architecture import Head, LinearHead, MlpHead, NoHead, ResidualHead

Shape = tuple[int, ...]
Shapes = dict[str, Shape]


def head(spec: Head, width: int, embedding: int) -> Shapes:
    """Pooled features of `width` -> embeddings."""
    match spec:
        case NoHead():
            return {}
        case LinearHead():
            return under("linear", linear(width, embedding, spec.bias))
        case MlpHead():
            return under("up", linear(width, spec.hidden)) | under("down", linear(spec.hidden, embedding, bias=False))
        case ResidualHead():
            shapes = under("linear", linear(width, embedding)) | under("up", linear(width, spec.hidden))
            return shapes | under("down", linear(spec.hidden, embedding))
        case _:
            assert_never(spec)


def blocks(width: int, mlp: int, layers: int) -> Shapes:
    """Transformer blocks with separate q, k and v."""
    block = under("norm1", norm(width))
    for name in ("q", "k", "v", "out"):
        block |= under(f"attention.{name}", linear(width, width))
    block |= under("norm2", norm(width))
    block |= under("mlp.up", linear(width, mlp)) | under("mlp.down", linear(mlp, width))
    return {f"blocks.{n}.{name}": shape for n in range(layers) for name, shape in block.items()}


def linear(inputs: int, outputs: int, bias: bool = True) -> Shapes:
    return {"weight": (outputs, inputs)} | ({"bias": (outputs,)} if bias else {})


def norm(width: int) -> Shapes:
    return {"weight": (width,), "bias": (width,)}


def conv_norm(inputs: int, outputs: int, kernel: int, index: str = "") -> Shapes:
    """A convolution without bias and its batch normalisation; `inputs` is per group."""
    shapes: Shapes = {f"conv{index}.weight": (outputs, inputs, kernel, kernel)}
    return shapes | under(f"norm{index}", batch_norm(outputs))


def batch_norm(channels: int) -> Shapes:
    return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))


def squeeze(channels: int, units: int) -> Shapes:
    """Squeeze-and-excite: two 1 x 1 convolutions."""
    shapes: Shapes = {"down.weight": (units, channels, 1, 1), "down.bias": (units,)}
    return shapes | {"up.weight": (channels, units, 1, 1), "up.bias": (channels,)}


def under(prefix: str, shapes: Shapes) -> Shapes:
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}
