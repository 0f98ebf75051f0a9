"""transformers' names for the tensors of CLIPModel, SiglipModel, AlignModel, and the two OWL models for detection.

Source: transformers 5.23.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, assert_never

from contralto.architecture import (
    Bert,
    CausalText,
    ConvNeXt,
    EfficientNet,
    Eva,
    FastViT,
    LinearHead,
    NoHead,
    ResNet,
    Stage,
    ViT,
)
from contralto.contract import Contract
from contralto.errors import WeightsError
from contralto.weights.layouts.conversion import BATCH_NORM, NORM, Part, pairs

Family = Literal["clip", "siglip", "align", "owlvit", "owlv2"]

ATTENTION = (("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"), ("out_proj", "out"))
REST = (("layer_norm1", "norm1"), ("layer_norm2", "norm2"), ("mlp.fc1", "mlp.up"), ("mlp.fc2", "mlp.down"))

# Tensors that are no weights of ours: counters, constants, and a layer of BERT that no embedding uses.
IGNORED = ("num_batches_tracked", "position_ids")
UNUSED = ("text_model.pooler.dense.weight", "text_model.pooler.dense.bias")

# Detection does not use OWL's picture projection, so it was never trained. The bias of the boxes follows from the grid.
OWL_FAMILIES = ("owlvit", "owlv2")
OWL_UNUSED = ("owlvit.visual_projection.weight", "owlv2.visual_projection.weight", "box_bias")
OWL_HEADS = (("layer_norm", "norm"), ("class_head.dense0", "row"), ("class_head.logit_shift", "shift"),
             ("class_head.logit_scale", "scale"))  # fmt: skip

# ALIGN divides by this number. CLIP and SigLIP multiply by exp(logit_scale), as we do.
ALIGN_TEMPERATURE = "temperature"


def family(contract: Contract) -> Family:
    """The model family whose class in transformers has these towers. Raises WeightsError if no class has."""
    image, text = contract.image.tower, contract.text.tower
    family: Family | None = None
    match image:
        case ViT():
            family = _vit_family(image, contract) if contract.detector is None else _owl_family(image, contract)
        case EfficientNet():
            family = "align" if _is_align(image, contract) else None
        case ResNet() | FastViT() | Eva() | ConvNeXt():
            pass
        case _:
            assert_never(image)
    if not isinstance(text, CausalText | Bert):
        assert_never(text)
    if family is None:
        known = "it has CLIP, SigLIP, ALIGN, OWL-ViT and OWLv2"
        raise WeightsError(f"{contract.name}: transformers has no class for these towers; {known}")
    return family


def _vit_family(image: ViT, contract: Contract) -> Literal["clip", "siglip"] | None:
    text = contract.text.tower
    if not isinstance(text, CausalText) or image.stem != "patch" or image.prompts:
        return None
    plain = image.class_token and image.norm_pre and not image.patch_bias and image.head == LinearHead()
    pooled = image.pool == "class" and contract.text.pool == "eot" and text.mask == "causal"
    if plain and pooled and text.head == LinearHead() and contract.score.rule == "softmax":
        return "clip"
    plain = not image.class_token and not image.norm_pre and image.patch_bias and image.head == NoHead()
    pooled = image.pool == "attention" and contract.text.pool == "last" and text.mask == "none"
    if plain and pooled and text.head == LinearHead(bias=True) and contract.score.rule == "sigmoid":
        return "siglip"
    return None


def _owl_family(image: ViT, contract: Contract) -> Literal["owlvit", "owlv2"] | None:
    text = contract.text.tower
    if contract.detector is None or not isinstance(text, CausalText) or image.stem != "patch":
        return None
    plain = image.norm_pre and not image.patch_bias and image.class_position and text.head == LinearHead()
    if not plain or text.mask != "causal" or contract.score.rule != "softmax":
        return None
    return "owlv2" if contract.detector.objectness else "owlvit"


def _is_align(image: EfficientNet, contract: Contract) -> bool:
    text = contract.text.tower
    plain = image.padding == "even" and not image.top and image.head == NoHead() and bool(image.squeeze)
    plain = plain and not has_first_shortcut(image.stem, image.stages)
    pooled = contract.text.pool == "first" and isinstance(text, Bert) and bool(text.types)
    return plain and pooled and text.head == LinearHead(bias=True) and contract.score.rule == "softmax"


def parts(contract: Contract) -> list[Part]:
    """The layout of a contract, without ALIGN's scale. Raises WeightsError if transformers has no class for it."""
    image, text = contract.image.tower, contract.text.tower
    if family(contract) == "align":
        assert isinstance(image, EfficientNet)
        return _efficientnet(image) + _bert(text.layers)
    assert isinstance(image, ViT)
    if contract.detector is not None:
        return _owl(image, text.layers, contract)
    is_clip = family(contract) == "clip"
    layout = _texts(text.layers) + _pictures(image)
    if is_clip:
        layout.append(Part("logit_scale", ("logit_scale",)))
        layout.append(Part("text_projection.weight", ("text.head.linear.weight",)))
        layout.append(Part("visual_projection.weight", ("image.head.linear.weight",)))
    else:
        layout += [Part(name, (name,), ones=1) for name in ("logit_scale", "logit_bias")]
        layout += pairs("text_model.head", "text.head.linear", NORM)
    return layout


def has_first_shortcut(stem: int, stages: Sequence[Stage]) -> bool:
    """Whether the first block of some stage would add its input. In transformers a first block never does."""
    inputs = (stem, *(stage.channels for stage in stages))
    return any(stage.stride == 1 and stage.channels == given for given, stage in zip(inputs, stages, strict=False))


def ignored(names: Iterable[str]) -> list[str]:
    """The names in a file that do not affect embeddings."""
    return [name for name in names if name in (*UNUSED, *OWL_UNUSED) or name.rpartition(".")[2] in IGNORED]


def _texts(layers: int) -> list[Part]:
    return [
        Part("text_model.embeddings.token_embedding.weight", ("text.tokens.weight",)),
        Part("text_model.embeddings.position_embedding.weight", ("text.positions",)),
        *_blocks("text_model", "text", layers),
        *pairs("text_model.final_layer_norm", "text.norm_post", NORM),
    ]


def _owl(tower: ViT, text_layers: int, contract: Contract) -> list[Part]:
    """The towers below `owlvit` or `owlv2`, and the heads beside them."""
    layout = _texts(text_layers) + _pictures(tower, norm_pre="pre_layernorm")
    layout.append(Part("logit_scale", ("logit_scale",)))
    layout.append(Part("text_projection.weight", ("text.head.linear.weight",)))
    layout = [replace(part, foreign=f"{family(contract)}.{part.foreign}") for part in layout]
    for theirs, ours in OWL_HEADS:
        layout += pairs(theirs, f"image.detector.{ours}", NORM)
    has_objectness = contract.detector is not None and contract.detector.objectness
    for head in ("box", "objectness") if has_objectness else ("box",):
        for n in range(3):
            layout += pairs(f"{head}_head.dense{n}", f"image.detector.{head}.{n}", NORM)
    return layout


def _pictures(tower: ViT, norm_pre: str = "pre_layrnorm") -> list[Part]:
    """norm_pre: transformers' name of that norm, which it misspells in CLIP."""
    theirs = "vision_model.embeddings"
    layout = pairs(f"{theirs}.patch_embedding", "image.patch", NORM if tower.patch_bias else NORM[:1])
    layout.append(Part(f"{theirs}.position_embedding.weight", ("image.positions",)))
    if tower.class_token:
        layout.append(Part(f"{theirs}.class_embedding", ("image.class_token",)))
    if tower.norm_pre:
        layout += pairs(f"vision_model.{norm_pre}", "image.norm_pre", NORM)
    layout += _blocks("vision_model", "image", tower.layers)
    layout += pairs("vision_model.post_layernorm", "image.norm_post", NORM)
    return layout + (_attention_pool() if tower.pool == "attention" else [])


def _attention_pool() -> list[Part]:
    theirs, ours = "vision_model.head", "image.pool"
    layout = [Part(f"{theirs}.probe", (f"{ours}.query",), ones=2)]
    for kind in NORM:
        qkv = (f"{ours}.q.{kind}", f"{ours}.k.{kind}", f"{ours}.v.{kind}")
        layout.append(Part(f"{theirs}.attention.in_proj_{kind}", qkv, "stacked"))
    layout += pairs(f"{theirs}.attention.out_proj", f"{ours}.out", NORM)
    layout += pairs(f"{theirs}.layernorm", f"{ours}.norm", NORM)
    layout += pairs(f"{theirs}.mlp.fc1", f"{ours}.mlp.up", NORM)
    return layout + pairs(f"{theirs}.mlp.fc2", f"{ours}.mlp.down", NORM)


def _blocks(theirs: str, ours: str, layers: int) -> list[Part]:
    layout: list[Part] = []
    for n in range(layers):
        block, native = f"{theirs}.encoder.layers.{n}", f"{ours}.blocks.{n}"
        for name, own in ATTENTION:
            layout += pairs(f"{block}.self_attn.{name}", f"{native}.attention.{own}", NORM)
        for name, own in REST:
            layout += pairs(f"{block}.{name}", f"{native}.{own}", NORM)
    return layout


def _bert(layers: int) -> list[Part]:
    theirs = "text_model.embeddings"
    layout = [
        Part(f"{theirs}.word_embeddings.weight", ("text.tokens.weight",)),
        Part(f"{theirs}.position_embeddings.weight", ("text.positions",)),
        Part(f"{theirs}.token_type_embeddings.weight", ("text.types",)),
        *pairs(f"{theirs}.LayerNorm", "text.norm_embedding", NORM),
    ]
    names = {
        "attention.self.query": "attention.q",
        "attention.self.key": "attention.k",
        "attention.self.value": "attention.v",
        "attention.output.dense": "attention.out",
        "attention.output.LayerNorm": "norm1",
        "intermediate.dense": "mlp.up",
        "output.dense": "mlp.down",
        "output.LayerNorm": "norm2",
    }
    for n in range(layers):
        for name, own in names.items():
            layout += pairs(f"text_model.encoder.layer.{n}.{name}", f"text.blocks.{n}.{own}", NORM)
    return layout + pairs("text_projection", "text.head.linear", NORM)


def _efficientnet(tower: EfficientNet) -> list[Part]:
    layout = _conv_norm("vision_model.embeddings", "convolution", "batchnorm", "image.stem")
    index = 0
    for stage in tower.stages:
        for _ in range(stage.repeats):
            theirs, ours = f"vision_model.encoder.blocks.{index}", f"image.blocks.{index}"
            if stage.expand != 1:
                layout += _conv_norm(f"{theirs}.expansion", "expand_conv", "expand_bn", f"{ours}.expand")
            layout += _conv_norm(f"{theirs}.depthwise_conv", "depthwise_conv", "depthwise_norm", f"{ours}.depthwise")
            layout += pairs(f"{theirs}.squeeze_excite.reduce", f"{ours}.squeeze.down", NORM)
            layout += pairs(f"{theirs}.squeeze_excite.expand", f"{ours}.squeeze.up", NORM)
            layout += _conv_norm(f"{theirs}.projection", "project_conv", "project_bn", f"{ours}.project")
            index += 1
    return layout


def _conv_norm(theirs: str, conv: str, norm: str, ours: str) -> list[Part]:
    weight = Part(f"{theirs}.{conv}.weight", (f"{ours}.conv.weight",))
    return [weight, *pairs(f"{theirs}.{norm}", f"{ours}.norm", BATCH_NORM)]
