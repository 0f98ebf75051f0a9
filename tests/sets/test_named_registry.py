"""What the registry says of the sets: names in the published order, mapped to what the data call them."""

from __future__ import annotations

import json

import pytest
from support.paths import SHARED

from contralto.sets.declaration import declared
from contralto.sets.layouts.labels import by_folder
from contralto.zeroshot import prompts

COUNTS = {
    "food101": 101, "cifar10": 10, "cifar100": 100, "mnist": 10, "stl10": 10, "pets": 37, "flowers102": 102, "dtd": 47,
    "eurosat": 10, "gtsrb": 43, "sun397": 397, "caltech101": 102, "cars": 196, "aircraft": 100, "fer2013": 7,
    "pcam": 2, "resisc45": 45,
}  # fmt: skip

PUBLISHED = {
    "food101": "Food101", "cifar10": "CIFAR10", "cifar100": "CIFAR100", "mnist": "MNIST", "stl10": "STL10",
    "pets": "OxfordPets", "flowers102": "Flowers102", "dtd": "DescribableTextures", "eurosat": "EuroSAT",
    "gtsrb": "GTSRB", "sun397": "SUN397", "caltech101": "Caltech101", "cars": "StanfordCars",
    "aircraft": "FGVCAircraft", "fer2013": "FacialEmotionRecognition2013", "pcam": "PatchCamelyon",
    "resisc45": "RESISC45",
}  # fmt: skip

WORDS = SHARED / "data/words/templates.json"

SPOTS = [
    ("cars", "14", "Audi TTS Coupe 2012"),  # the first training picture
    ("cars", "181", "Suzuki Aerio Sedan 2007"),  # the first test picture
    ("cars", "174", "Ram C/V Cargo Van Minivan 2012"),
    ("flowers102", "77", "passion flower"),  # the first picture
    ("flowers102", "46", "wallflower"),
    ("gtsrb", "00013", "red and white upside down triangle yield right-of-way"),
    ("gtsrb", "00040", "blue circle with white arrows indicating a traffic circle"),
    ("fer2013", "3", "happy"),
    ("fer2013", "6", "neutral"),
    ("eurosat", "HerbaceousVegetation", "brushland or shrubland"),
    ("caltech101", "cougar_face", "face of a cougar cat"),
    ("caltech101", "Faces_easy", "centered face"),
    ("sun397", "t/theater/indoor_procenium", "theater indoor procenium"),
    ("sun397", "f/forest/broadleaf", "forest broadleaf"),
    ("sun397", "f/forest_path", "forest path"),
    ("pcam", "1", "lymph node containing metastatic tumor tissue"),
    ("resisc45", "ground_track_field", "ground track field"),
    ("cifar100", "lawn_mower", "lawn mower"),
]


@pytest.mark.parametrize("name", COUNTS)
def test_a_set_has_its_classes_each_called_once(name):
    declaration = declared(name)
    assert len(declaration.classes) == COUNTS[name]
    assert len(by_folder(declaration.classes)) == COUNTS[name]
    assert len({known.name for known in declaration.classes}) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_splits_have_sizes_and_templates_are_those_of_the_set(name):
    declaration = declared(name)
    assert tuple(declaration.sizes) == declaration.splits
    assert "test" in declaration.splits
    assert declaration.templates == name
    assert prompts.templates(name)


@pytest.mark.skipif(not WORDS.exists(), reason="../shared/data is absent")
@pytest.mark.parametrize("name", COUNTS)
def test_names_are_the_published_ones_in_their_order(name):
    published = json.loads(WORDS.read_text(encoding="utf-8"))["datasets"][PUBLISHED[name]]["classes"]
    names = [[known] if isinstance(known, str) else known for known in published]
    assert [list(known.names) for known in declared(name).classes] == names


@pytest.mark.parametrize(("name", "called", "meant"), SPOTS)
def test_what_the_data_call_a_class_is_the_class_that_is_meant(name, called, meant):
    classes = declared(name).classes
    assert classes[by_folder(classes)[called]].name == meant


def test_the_paper_reports_these_by_the_mean_over_classes():
    means = {name for name in COUNTS if declared(name).metric == "mean_per_class"}
    assert means == {"pets", "flowers102", "caltech101", "aircraft"}


def test_superclasses_of_cifar100_are_twenty_of_five():
    groups = [known.group for known in declared("cifar100").classes]
    assert sorted(groups.count(group) for group in set(groups)) == [5] * 20
