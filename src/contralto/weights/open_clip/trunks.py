"""timm's names of image towers and their architectures, for open_clip's `timm_*` fields.

A name implies sizes that the configuration does not repeat. Here they come from a preset with the same tower.
"""

from __future__ import annotations

from dataclasses import dataclass

from contralto.architecture import ImageTower
from contralto.contract import preset, presets


@dataclass(frozen=True)
class Trunk:
    """name: timm's name, with {size} for the picture size; sizes: the sizes that exist, () for any.

    pool, projection: open_clip's timm_pool and timm_proj. preset: a preset with this image tower.
    """

    name: str
    pool: str
    projection: str
    preset: str
    sizes: tuple[int, ...] = ()


TRUNKS = (
    Trunk("vit_base_patch16_siglip_{size}", "map", "none", "ViT-B-16-SigLIP", (224, 256, 384, 512)),
    Trunk("vit_base_patch32_siglip_{size}", "map", "none", "ViT-B-32-SigLIP2-256", (256,)),
    Trunk("vit_large_patch16_siglip_{size}", "map", "none", "ViT-L-16-SigLIP-256", (256, 384)),
    Trunk("vit_large_patch16_siglip_{size}", "map", "none", "ViT-L-16-SigLIP2-512", (512,)),
    Trunk("vit_so400m_patch14_siglip_{size}", "map", "none", "ViT-SO400M-14-SigLIP", (224, 378, 384)),
    Trunk("vit_so400m_patch16_siglip_{size}", "map", "none", "ViT-SO400M-16-SigLIP2-256", (256, 384, 512)),
    Trunk("vit_giantopt_patch16_siglip_{size}", "map", "none", "ViT-gopt-16-SigLIP2-256", (256, 384)),
    Trunk("eva02_base_patch16_clip_{size}", "token", "", "EVA02-B-16", (224,)),
    Trunk("eva02_large_patch14_clip_{size}", "token", "", "EVA02-L-14", (224, 336)),
    Trunk("vit_base_mci_{size}", "token", "", "MobileCLIP-B", (224,)),
    Trunk("vit_large_patch14_clip_{size}", "token", "", "MobileCLIP2-L-14", (224, 336)),
    Trunk("fastvit_mci0", "avg", "", "MobileCLIP2-S0"),
    Trunk("fastvit_mci1", "avg", "", "MobileCLIP-S1"),
    Trunk("fastvit_mci2", "avg", "", "MobileCLIP-S2"),
    Trunk("fastvit_mci3", "avg", "", "MobileCLIP2-S3"),
    Trunk("fastvit_mci4", "avg", "", "MobileCLIP2-S4"),
    Trunk("convnext_base", "", "linear", "convnext_base_w"),
    Trunk("convnext_large", "", "mlp", "convnext_large_d"),
    Trunk("convnext_xxlarge", "", "linear", "convnext_xxlarge"),
)


def trunk(name: str, pool: str, projection: str, size: tuple[int, int]) -> ImageTower | None:
    """The image tower that open_clip builds from these fields, or None if Contralto has no such tower."""
    for one in TRUNKS:
        if (one.pool, one.projection) == (pool, projection) and _named(one, size) == name and one.preset in presets():
            return preset(one.preset).image.tower
    return None


def trunk_of(tower: ImageTower, size: tuple[int, int]) -> dict[str, str] | None:
    """The fields from which open_clip builds this tower, or None if timm has no name for it."""
    for one in TRUNKS:
        name = _named(one, size)
        if name and one.preset in presets() and preset(one.preset).image.tower == tower:
            return {"timm_model_name": name, "timm_pool": one.pool, "timm_proj": one.projection}
    return None


def _named(one: Trunk, size: tuple[int, int]) -> str | None:
    """timm's name at that size, or None if timm has no such size."""
    if one.sizes and (size[0] != size[1] or size[0] not in one.sizes):
        return None
    return one.name.format(size=size[0])
