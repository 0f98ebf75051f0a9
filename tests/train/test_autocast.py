import pytest
import torch

from contralto.errors import ContractError
from contralto.train import autocast


@pytest.mark.parametrize("native", [True, False])
def test_auto_computes_in_bf16_only_where_it_is_native(monkeypatch, native):
    monkeypatch.setattr(autocast, "has_bf16", lambda: native)
    for asked, expected in (("auto", torch.bfloat16 if native else torch.float32), ("fp32", torch.float32)):
        with autocast.autocast(asked):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected


def test_bf16_is_refused_where_it_would_be_emulated(monkeypatch):
    monkeypatch.setattr(autocast, "has_bf16", lambda: False)
    with pytest.raises(ContractError, match="emulates"):
        autocast.autocast("bf16")
