"""Layers as ONNX nodes, by the names of their tensors in the weight file.

Shapes are in comments: N items, L tokens, W width, H heads, D = W / H, C channels, E embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, assert_never

from contralto.architecture import CausalText, Head, LinearHead, MlpHead, NoHead, ResidualHead, ViT
from contralto.architecture.towers import Activation, HeadActivation
from contralto.engine.onnx import BFLOAT16, FLOAT, FLOAT16, INT8, Graph
from contralto.weights.checkpoint import SCALE, StoredTensor

ONNX_DTYPES: Final = {"F32": FLOAT, "F16": FLOAT16, "BF16": BFLOAT16, "I8": INT8}

# Name suffixes of tensors that belong to the weight of a layer in int8 (see contralto.engine.quantise): the scale and
# the zero point of its activation, and the divisor of each channel.
ACTIVATION_SCALE, SMOOTHING = ".step", ".smooth"

BlockTower = ViT | CausalText  # the towers that consist of `Layers.block`

# Name of a tensor -> the place of its bytes: location (usually a file name), begin, end.
Locate = Callable[[str], tuple[str, int, int]]


class LinearLayer(NamedTuple):
    """A linear map, or a convolution with one group, and the name of its input."""

    name: str
    input: str
    stride: int = 1
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right


class Layers(Graph):
    """A graph that knows a model's tensors. Without `locate` they become inputs of the graph.

    linear_layers: every layer that may be computed in int8, in order.
    """

    def __init__(self, name: str, tensors: Mapping[str, StoredTensor], locate: Locate | None) -> None:
        super().__init__(name)
        self._tensors, self._locate = tensors, locate
        self._tensor_inputs: set[str] = set()
        self.linear_layers: list[LinearLayer] = []
        self._quantised: dict[str, str] = {}  # name of a value -> name of the value after int8 rounding

    def stored(self, name: str) -> str:
        """A tensor in its stored dtype."""
        tensor = self._tensors[name]
        if self._locate is not None:
            return self.external(name, ONNX_DTYPES[tensor.dtype], tensor.shape, *self._locate(name))
        if name not in self._tensor_inputs:
            self._tensor_inputs.add(name)
            self.input(name, ONNX_DTYPES[tensor.dtype], tensor.shape)
        return name

    def weight(self, name: str) -> str:
        """A tensor in float32."""
        dtype, value = self._tensors[name].dtype, self.stored(name)
        if dtype == "I8":
            return self.node("DequantizeLinear", value, self.stored(name + SCALE), axis=0)
        return value if dtype == "F32" else self.node("Cast", value, to=FLOAT)

    def embedding(self, name: str, ids: str) -> str:
        """Rows of a table (V, W) by ids (N, L) -> (N, L, W). Only these rows are expanded to float32."""
        rows = self.node("Gather", self.stored(name), ids)
        if self._tensors[name].dtype == "F32":
            return rows
        rows = self.node("Cast", rows, to=FLOAT)
        if self._tensors[name].dtype != "I8":
            return rows
        scale = self.node("Gather", self.stored(name + SCALE), ids)  # (N, L)
        return self.node("Mul", rows, self.node("Unsqueeze", scale, self.constant([-1])))

    def linear(self, name: str, x: str) -> str:
        """(..., W) -> (..., outputs): x W^T, plus the bias if there is one."""
        self.linear_layers.append(LinearLayer(name, x))
        weight = self.node("Transpose", self.weight(f"{name}.weight"), perm=[1, 0])
        x = self.node("MatMul", self._rounded(name, x, [-1]), weight)
        return self.node("Add", x, self.weight(f"{name}.bias")) if f"{name}.bias" in self._tensors else x

    def layer_norm(self, name: str, x: str, eps: float) -> str:
        """Over the last dimension."""
        gain, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, gain, bias, axis=-1, epsilon=eps)

    def batch_norm(self, name: str, x: str, eps: float) -> str:
        """(N, C, h, w) -> (N, C, h, w), with the running statistics."""
        fields = ("weight", "bias", "running_mean", "running_var")
        return self.node("BatchNormalization", x, *(self.weight(f"{name}.{f}") for f in fields), epsilon=eps)

    def convolution(
        self, name: str, x: str, stride: int = 1, group: int = 1, pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> str:
        """(N, C, h, w) -> (N, outputs, h', w'); pads: top, left, bottom, right."""
        weight, bias = f"{name}.weight", f"{name}.bias"
        if group == 1:
            self.linear_layers.append(LinearLayer(name, x, stride, pads))
            x = self._rounded(name, x, [-1, 1, 1])
        inputs = [x, self.weight(weight)] + ([self.weight(bias)] if bias in self._tensors else [])
        kernel = self._tensors[weight].shape[2:]
        return self.node("Conv", *inputs, kernel_shape=kernel, strides=[stride, stride], pads=pads, group=group)

    def patches(self, name: str, pixels: str, size: tuple[int, int], patch: int) -> str:
        """A convolution with kernel and stride `patch`: pixels (N, 3, *size) -> patch tokens (N, L, W).

        Written as a matrix product, which runtimes compute twice as fast. Pixels that do not fill a patch, on the right
        and at the bottom, are dropped, as in a convolution.
        """
        rows, columns = (length // patch for length in size)
        if (rows * patch, columns * patch) != size:
            ends = self.constant([rows * patch, columns * patch])
            pixels = self.node("Slice", pixels, self.constant([0, 0]), ends, self.constant([2, 3]))
        x = self.node("Reshape", pixels, self.constant([0, 3, rows, patch, columns, patch]))
        x = self.node("Transpose", x, perm=[0, 2, 4, 1, 3, 5])
        x = self.node("Reshape", x, self.constant([0, rows * columns, 3 * patch**2]))
        weight = self.node("Reshape", self.weight(f"{name}.weight"), self.constant([0, -1]))
        x = self.node("MatMul", x, self.node("Transpose", weight, perm=[1, 0]))
        return self.node("Add", x, self.weight(f"{name}.bias")) if f"{name}.bias" in self._tensors else x

    def _rounded(self, name: str, x: str, channels: list[int]) -> str:
        """x rounded to int8 codes if the layer is quantised, else x. Layers with the same input share the rounding."""
        if f"{name}.weight{ACTIVATION_SCALE}" not in self._tensors:
            return x
        if x not in self._quantised:
            smoothing = self._tensors[f"{name}.weight{SMOOTHING}"].array.reshape(channels)
            scale, zero_point = self._tensors[f"{name}.weight{ACTIVATION_SCALE}"].array.tolist()
            inputs = self.constant(scale), self.zero_point(int(zero_point))
            codes = self.node("QuantizeLinear", self.node("Div", x, self.constant(smoothing)), *inputs)
            self._quantised[x] = self.node("DequantizeLinear", codes, *inputs)
        return self._quantised[x]

    def squeeze_excite(self, name: str, x: str, activation: Activation) -> str:
        """(N, C, h, w) -> (N, C, h, w): each channel times a weight in (0, 1), from the means of all channels."""
        weight = self.node("ReduceMean", x, self.constant([2, 3]), keepdims=1)  # (N, C, 1, 1)
        weight = self.activation(activation, self.convolution(f"{name}.down", weight))
        return self.node("Mul", x, self.node("Sigmoid", self.convolution(f"{name}.up", weight)))

    def activation(self, kind: HeadActivation, x: str) -> str:
        """Element by element; softmax over the last dimension."""
        match kind:
            case "relu":
                return self.node("Relu", x)
            case "relu6":
                return self.node("Clip", x, self.constant(0.0), self.constant(6.0))
            case "gelu":
                return self.node("Gelu", x)
            case "gelu_tanh":
                return self.node("Gelu", x, approximate="tanh")
            case "silu":
                return self.node("Mul", x, self.node("Sigmoid", x))
            case "quickgelu":
                return self.node("Mul", x, self.node("Sigmoid", self.node("Mul", x, self.constant(1.702))))
            case "softmax":
                return self.node("Softmax", x, axis=-1)
            case _:
                assert_never(kind)

    def attention(
        self, name: str, x: str, width: int, heads: int, mask: str | None = None, queries: str | None = None
    ) -> str:
        """Self-attention (N, L, W) -> (N, L, W). mask: added to the scores, broadcast to (N, H, L, L).

        queries: tokens (N, Q, W) that attend, if not all do. The result is (N, Q, W), and the mask (N, H, Q, L).
        """
        q = self.linear(f"{name}.q", x if queries is None else queries)
        k, v = (self.linear(f"{name}.{part}", x) for part in ("k", "v"))
        return self.linear(f"{name}.out", self.attend(q, k, v, width, heads, mask))

    def attend(self, q: str, k: str, v: str, width: int, heads: int, mask: str | None = None) -> str:
        """softmax(q k^T / sqrt(D) + mask) v in each head: q (N, Q, W), k and v (N, L, W) -> (N, Q, W)."""
        split = self.constant([0, 0, heads, width // heads])
        q, k, v = (self.node("Reshape", value, split) for value in (q, k, v))  # (N, L, H, D)
        q, v = (self.node("Transpose", value, perm=[0, 2, 1, 3]) for value in (q, v))  # (N, H, L, D)
        k = self.node("Transpose", k, perm=[0, 2, 3, 1])  # (N, H, D, L)
        scores = self.node("Mul", self.node("MatMul", q, k), self.constant((width // heads) ** -0.5))
        if mask is not None:
            scores = self.node("Add", scores, mask)
        x = self.node("MatMul", self.node("Softmax", scores, axis=-1), v)  # (N, H, Q, D)
        return self.node("Reshape", self.node("Transpose", x, perm=[0, 2, 1, 3]), self.constant([0, 0, width]))

    def mlp(self, name: str, x: str, activation: HeadActivation) -> str:
        """down(activation(up(x)))."""
        return self.linear(f"{name}.down", self.activation(activation, self.linear(f"{name}.up", x)))

    def block(
        self, name: str, x: str, tower: BlockTower, mask: str | None = None, pick: Callable[[str], str] | None = None
    ) -> str:
        """Pre-norm Transformer block (N, L, W) -> (N, L, W).

        pick: picks the tokens (N, L, W) -> (N, R, W) that the last block has to compute, if the tower pools by a token.
        All tokens then give keys and values, but only the picked ones attend and go through the MLP. The result is
        (N, R, W), the mask (N, H, R, L).
        """
        normed = self.layer_norm(f"{name}.norm1", x, tower.norm_eps)
        queries = None
        if pick is not None:
            x, queries = pick(x), pick(normed)
        attended = self.attention(f"{name}.attention", normed, tower.width, tower.heads, mask, queries)
        x = self.node("Add", x, attended)
        normed = self.layer_norm(f"{name}.norm2", x, tower.norm_eps)
        return self.node("Add", x, self.mlp(f"{name}.mlp", normed, tower.activation))

    def head(self, name: str, spec: Head, x: str) -> str:
        """Pooled features (N, W) -> embeddings (N, E)."""
        match spec:
            case NoHead():
                return x
            case MlpHead():
                return self.mlp(name, x, spec.activation)
            case LinearHead():
                return self.linear(f"{name}.linear", x)
            case ResidualHead():
                linear = self.linear(f"{name}.linear", x)
                return self.node("Add", linear, self.mlp(name, x, spec.activation))
            case _:
                assert_never(spec)
