"""BERT's encoder equal to transformers' BertModel with the same random weights, pooled by hand."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from support import plain_towers as plain

from contralto import architecture
from contralto.model.text import Bert

SPEC = architecture.Bert(vocabulary=80, width=48, layers=3, heads=4, mlp=96)
TYPED = dataclasses.replace(SPEC, types=2)
CONTEXT, PAD, EMBEDDING = 20, 0, 7


@pytest.mark.parametrize("spec", [SPEC, TYPED], ids=["types folded in", "types"])
def test_equals_transformers(spec):
    mean, first = (plain.scramble(Bert(spec, CONTEXT, PAD, pool, EMBEDDING)) for pool in ("mean", "first"))
    theirs = _transformers_bert(mean)
    lengths = torch.tensor([3, 11, CONTEXT])
    ids = torch.randint(1, SPEC.vocabulary, (3, CONTEXT), generator=torch.Generator().manual_seed(1))
    real = torch.arange(CONTEXT) < lengths[:, None]
    ids[~real] = PAD
    with torch.no_grad():
        rows = theirs(input_ids=ids, attention_mask=real.long()).last_hidden_state
        means = torch.stack([row[:length].mean(dim=0) for row, length in zip(rows, lengths, strict=True)])
        torch.testing.assert_close(mean.features(ids), means, rtol=0, atol=1e-5)
        torch.testing.assert_close(first.features(ids), rows[:, 0], rtol=0, atol=1e-5)
        torch.testing.assert_close(mean(ids), means @ mean.head.linear.weight.T, rtol=0, atol=1e-4)


def _transformers_bert(ours: Bert) -> torch.nn.Module:
    import transformers

    config = transformers.BertConfig(
        vocab_size=SPEC.vocabulary,
        hidden_size=SPEC.width,
        num_hidden_layers=SPEC.layers,
        num_attention_heads=SPEC.heads,
        intermediate_size=SPEC.mlp,
        max_position_embeddings=CONTEXT,
    )
    theirs = transformers.BertModel(config, add_pooling_layer=False).eval()
    state = {_their_name(n): v for n, v in ours.state_dict().items() if not n.startswith("head.")}
    types, positions = "embeddings.token_type_embeddings.weight", "embeddings.position_embeddings.weight"
    if types not in state:  # ours has them in the positions
        state[types] = theirs.state_dict()[types]
        state[positions] = state[positions] - state[types][0]
    theirs.load_state_dict(state)
    return theirs


def _their_name(name: str) -> str:
    for ours, theirs in (
        ("tokens", "embeddings.word_embeddings"),
        ("positions", "embeddings.position_embeddings.weight"),
        ("types", "embeddings.token_type_embeddings.weight"),
        ("norm_embedding", "embeddings.LayerNorm"),
        ("attention.out", "attention.output.dense"),
        ("attention.q", "attention.self.query"),
        ("attention.k", "attention.self.key"),
        ("attention.v", "attention.self.value"),
        ("norm1", "attention.output.LayerNorm"),
        ("norm2", "output.LayerNorm"),
        ("mlp.up", "intermediate.dense"),
        ("mlp.down", "output.dense"),
        ("blocks.", "encoder.layer."),
    ):
        name = name.replace(ours, theirs)
    return name
