"""The text towers as graphs; mirrors contralto.model.text."""

from __future__ import annotations

from contralto.architecture import Bert, CausalText
from contralto.engine.forest import MASKED_SCORE, NODE_BLOCK
from contralto.engine.graph.layers import Layers


def causal(layers: Layers, tower: CausalText, ids: str, pool: str) -> str:
    """ids (N, L) -> embeddings (N, E), from the token with the largest id (the first one) of each text, or the last."""
    x = _embed(layers, ids)
    mask = _causal_mask(layers, ids) if tower.mask == "causal" else None
    for n in range(tower.layers):
        x = layers.block(f"text.blocks.{n}", x, tower, mask)
    if pool == "last":
        x = layers.node("Gather", x, layers.constant(-1), axis=1)  # (N, W)
    else:
        end = layers.node("ArgMax", ids, axis=1, keepdims=1)  # (N, 1)
        x = layers.node("GatherND", x, end, batch_dims=1)  # (N, W)
    return layers.head("text.head", tower.head, layers.layer_norm("text.norm_post", x, tower.norm_eps))


def forest(layers: Layers, tower: CausalText, ids: str, depths: str, keys: str, mask: str, ends: str) -> str:
    """The causal tower over T texts in one sequence of L nodes, as `contralto.engine.forest` packs them.

    ids (L), depths (L), keys (B, S), mask (B, 1, L / B, S), ends (T) -> embeddings (T, E), from the nodes at the ends.
    """
    positions = layers.node("Gather", layers.weight("text.positions"), depths)
    x = layers.node("Add", layers.embedding("text.tokens.weight", ids), positions)
    x = layers.node("Unsqueeze", x, layers.constant([0]))  # (1, L, W): runtimes fuse more operations on three axes
    for n in range(tower.layers):
        x = _forest_block(layers, f"text.blocks.{n}", x, tower, keys, mask, ends if n == tower.layers - 1 else None)
    x = layers.node("Squeeze", x, layers.constant([0]))  # (T, W)
    return layers.head("text.head", tower.head, layers.layer_norm("text.norm_post", x, tower.norm_eps))


def _forest_block(layers: Layers, name: str, x: str, tower: CausalText, keys: str, mask: str, ends: str | None) -> str:
    """A block (1, L, W) -> (1, L, W), or with ends -> (1, T, W): after attention, only these nodes go on."""
    normed = layers.layer_norm(f"{name}.norm1", x, tower.norm_eps)
    q, k, v = (layers.linear(f"{name}.attention.{part}", normed) for part in ("q", "k", "v"))
    q = layers.node("Reshape", q, layers.constant([-1, NODE_BLOCK, tower.width]))
    k, v = (layers.node("Gather", value, keys, axis=1) for value in (k, v))
    k, v = (layers.node("Squeeze", value, layers.constant([0])) for value in (k, v))  # (B, S, W)
    attended = layers.attend(q, k, v, tower.width, tower.heads, mask)
    attended = layers.node("Reshape", attended, layers.constant([1, -1, tower.width]))
    if ends is not None:
        x, attended = (layers.node("Gather", value, ends, axis=1) for value in (x, attended))
    x = layers.node("Add", x, layers.linear(f"{name}.attention.out", attended))
    normed = layers.layer_norm(f"{name}.norm2", x, tower.norm_eps)
    return layers.node("Add", x, layers.mlp(f"{name}.mlp", normed, tower.activation))


def bert(layers: Layers, tower: Bert, ids: str, pad: int, pool: str) -> str:
    """ids (N, L) -> embeddings (N, E), from the mean of the tokens that are not padding, or from the first token."""
    # Selected with Where: runtimes would mistake a cast, a difference and a product for an int8 weight.
    padding = layers.node("Equal", ids, layers.constant(pad))  # (N, L)
    is_token = layers.node("Where", padding, layers.constant(0.0), layers.constant(1.0))
    mask = layers.node("Where", padding, layers.constant(MASKED_SCORE), layers.constant(0.0))
    mask = layers.node("Unsqueeze", mask, layers.constant([1, 2]))  # (N, 1, 1, L)
    x = _embed(layers, ids)
    if tower.types:
        x = layers.node("Add", x, layers.embedding("text.types", layers.constant(0)))  # (W,), of the first type
    x = layers.layer_norm("text.norm_embedding", x, tower.norm_eps)
    for n in range(tower.layers):
        name = f"text.blocks.{n}"
        attended = layers.attention(f"{name}.attention", x, tower.width, tower.heads, mask)
        x = layers.layer_norm(f"{name}.norm1", layers.node("Add", x, attended), tower.norm_eps)
        mapped = layers.mlp(f"{name}.mlp", x, tower.activation)
        x = layers.layer_norm(f"{name}.norm2", layers.node("Add", x, mapped), tower.norm_eps)
    return layers.head("text.head", tower.head, _pool(layers, x, is_token, pool))


def _embed(layers: Layers, ids: str) -> str:
    """ids (N, L) -> token embeddings plus the first L positions (N, L, W)."""
    length = layers.node("Shape", ids, start=1, end=2)
    positions = layers.node("Slice", layers.weight("text.positions"), layers.constant([0]), length)
    return layers.node("Add", layers.embedding("text.tokens.weight", ids), positions)


def _causal_mask(layers: Layers, ids: str) -> str:
    """(L, L): MASKED_SCORE if the key comes after the query, else zero."""
    length = layers.node("Squeeze", layers.node("Shape", ids, start=1, end=2))
    keys = layers.node("Range", layers.constant(0), length, layers.constant(1))
    queries = layers.node("Unsqueeze", keys, layers.constant([1]))
    later = layers.node("Greater", keys, queries)
    return layers.node("Where", later, layers.constant(MASKED_SCORE), layers.constant(0.0))


def _pool(layers: Layers, x: str, is_token: str, pool: str) -> str:
    if pool == "first":
        return layers.node("Gather", x, layers.constant(0), axis=1)
    weight = layers.node("Unsqueeze", is_token, layers.constant([2]))  # (N, L, 1)
    axis = layers.constant([1])
    total = layers.node("ReduceSum", layers.node("Mul", x, weight), axis, keepdims=0)
    return layers.node("Div", total, layers.node("ReduceSum", weight, axis, keepdims=0))
