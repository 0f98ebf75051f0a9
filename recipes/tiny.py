"""A small CLIP from scratch, which shows that training works.

A small ViT and a causal byte-pair text tower learn from random weights and drawn scenes. An eighth of all colour x
shape combinations, a quarter of count x shape and a fifth of place x shape never occur in training; the zero-shot
metrics use only pictures of these. docs/training.md shows the learning curve.
"""

from contralto.contract import Contract, Provenance, preset
from contralto.data.augment import Augment
from contralto.data.mixture import Mixture
from contralto.data.scenes import SceneKind, Scenes, prompts
from contralto.model.clip import CLIP, create
from contralto.text.tokenizer import load
from contralto.train.contrastive import contrastive
from contralto.train.recipe import Phase, Recipe
from contralto.train.validation import Validation, combine, retrieval, zero_shot


def recipe(steps: int = 1000, pictures: int = 400) -> Recipe:
    """steps: with batches of 128. pictures: per validation set, all with combinations that training never shows."""
    contract = preset("tiny")
    tokenizer = load(contract.text)
    task = contrastive(
        Mixture([(Scenes(200_000, seed=1), 1.0)], batch_size=128, seed=0),
        contract,
        tokenizer,
        augment=Augment(area=(0.9, 1.0), aspect=(0.95, 1.05)),
    )

    def probe(kind: SceneKind, name: str) -> Validation:
        return zero_shot(Scenes(pictures, seed=2, kinds=[kind], held_out=True), prompts(kind), tokenizer, name)

    return Recipe(
        name="tiny",
        build=build,
        phases=(Phase("train", (task,), steps, lr=1e-3, warmup=min(100, steps // 5), precision="fp32"),),
        validate=combine(
            probe("alone", "new_colour_shape"),
            probe("counted", "new_count_shape"),
            probe("placed", "new_place_shape"),
            retrieval(Scenes(pictures, seed=3, held_out=True), tokenizer),
        ),
        validate_every=100,
        checkpoint_every=200,
    )


def build() -> tuple[CLIP, Contract]:
    """The model with random weights, and its contract."""
    contract = preset("tiny")
    provenance = Provenance(source="recipes/tiny.py", trained_on="scenes drawn by contralto.data.scenes")
    return create(contract.replace(provenance=provenance))
