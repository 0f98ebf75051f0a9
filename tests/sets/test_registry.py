"""The declarations in the registry: classes in the published order, sizes, templates, readers."""

from __future__ import annotations

import importlib
import json
from collections import Counter

import pytest
from support.paths import SHARED

from contralto.errors import DataError
from contralto.sets.declaration import load_declaration, set_names
from contralto.sets.layouts.class_index import index_by_folder
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
    declaration = load_declaration(name)
    assert len(declaration.classes) == COUNTS[name]
    assert len(index_by_folder(declaration.classes)) == COUNTS[name]
    assert len({known.name for known in declaration.classes}) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_splits_have_sizes_and_templates_are_those_of_the_set(name):
    declaration = load_declaration(name)
    assert tuple(declaration.sizes) == declaration.splits
    assert "test" in declaration.splits
    assert declaration.templates == name
    assert prompts.templates(name)


@pytest.mark.skipif(not WORDS.exists(), reason="../shared/data is absent")
@pytest.mark.parametrize("name", COUNTS)
def test_names_are_the_published_ones_in_their_order(name):
    published = json.loads(WORDS.read_text(encoding="utf-8"))["datasets"][PUBLISHED[name]]["classes"]
    names = [[known] if isinstance(known, str) else known for known in published]
    assert [list(known.names) for known in load_declaration(name).classes] == names


@pytest.mark.parametrize(("name", "called", "meant"), SPOTS)
def test_what_the_data_call_a_class_is_the_class_that_is_meant(name, called, meant):
    classes = load_declaration(name).classes
    assert classes[index_by_folder(classes)[called]].name == meant


def test_the_paper_reports_these_by_the_mean_over_classes():
    means = {name for name in COUNTS if load_declaration(name).metric == "mean_per_class"}
    assert means == {"pets", "flowers102", "caltech101", "aircraft"}


def test_superclasses_of_cifar100_are_twenty_of_five():
    groups = [known.group for known in load_declaration("cifar100").classes]
    assert sorted(groups.count(group) for group in set(groups)) == [5] * 20


EXPECTED = {  # classes, templates, pictures of the split that is measured: PAPER, section 5.1, and the sets' own papers
    "imagenet": (1000, 80, 50000),
    "imagenet_v2": (1000, 80, 10000),
    "imagenet_a": (200, 80, 7500),
    "imagenet_r": (200, 80, 30000),
    "imagenet_sketch": (1000, 80, 50889),
    "objectnet": (125, 80, 18574),
    "flickr30k": (0, 1, 1000),
    "flickr8k": (0, 1, 1000),
    "coco": (0, 1, 5000),
    "fairface": (7, 1, 10954),
    "birdsnap": (500, 1, 2443),
    "voc2007": (20, 1, 4952),
    "ucf101": (101, 48, 3783),
    "kinetics700": (700, 28, None),
    "kitti": (4, 1, 711),
    "country211": (211, 5, 21100),
    "clevr": (8, 1, 500),
    "hateful_memes": (2, 1, 500),
    "sst2": (2, 1, 1821),
}


METRICS = {
    "voc2007": "map11",
    "kinetics700": "mean_top1_top5",
    "hateful_memes": "auc",
    "flickr30k": "r1_image_to_text",
    "flickr8k": "r1_image_to_text",
    "coco": "r1_image_to_text",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_declaration_is_complete(name):
    assert name in set_names()
    stated = load_declaration(name)
    classes, templates, size = EXPECTED[name]
    assert (stated.name, len(stated.classes), len(prompts.templates(stated.templates))) == (name, classes, templates)
    assert stated.metric == METRICS.get(name, "top1")
    measured = "test" if "test" in stated.splits else "val"
    assert stated.sizes.get(measured) == size
    assert set(stated.sizes) == (set(stated.splits) if size else set())
    assert stated.where.startswith("http")
    module, _, function = stated.reader.partition(":")
    assert callable(getattr(importlib.import_module(f"contralto.sets.layouts.{module}"), function))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_missing_set_says_what_is_missing_where_to_get_it_and_how_to_lay_it_out(name, tmp_path):
    stated = load_declaration(name)
    with pytest.raises(DataError) as error:
        stated.open(tmp_path)
    message = str(error.value)
    assert message.startswith(f"{name}: no folder {stated.folders[0]}")
    assert stated.where in message
    assert message.endswith(stated.layout)
    assert "\n" not in message


def test_imagenets_indices_follow_the_sorted_wnids():
    wnids = [known.folder for known in load_declaration("imagenet").classes]
    assert wnids == sorted(set(wnids))
    assert (wnids[0], wnids[-1]) == ("n01440764", "n15075141")
    assert (
        load_declaration("imagenet").classes[134].name == "crane bird"
    )  # the authors' edit: a crane is also a machine
    assert load_declaration("imagenet").classes[517].name == "construction crane"


def test_the_variants_take_their_classes_from_imagenet():
    whole = load_declaration("imagenet").classes
    assert load_declaration("imagenet_v2").classes == load_declaration("imagenet_sketch").classes == whole
    for name, first, last in (("imagenet_a", 6, 988), ("imagenet_r", 1, 988)):
        part = [whole.index(known) for known in load_declaration(name).classes]
        assert part == sorted(set(part))
        assert (part[0], part[-1]) == (first, last)
    some = {known.folder for known in load_declaration("imagenet_r").classes}
    assert {"n01443537", "n12267677"} <= some  # goldfish, acorn
    assert "n01440764" not in some  # tench


def test_objectnets_classes_are_imagenets_in_its_order():
    place = [known.name for known in load_declaration("imagenet").classes]
    stated = load_declaration("objectnet").classes
    assert all(known.name in place for known in stated)
    folders = Counter(known.folder for known in stated)
    assert len(folders) == len({known.group for known in stated}) == 113
    shared = {folder: [known.name for known in stated if known.folder == folder] for folder in folders}
    assert shared["chair"] == ["barber chair", "folding chair", "rocking chair"]
    assert shared["t-shirt"] == ["T-shirt"]
    assert shared["hand_towel_or_rag"] == ["dishcloth"]
    assert {folder for folder, count in folders.items() if count == 3} == {"chair", "pen", "skirt"}


def test_class_lists_keep_the_released_order_and_say_what_the_data_call_them():
    assert [known.name for known in load_declaration("clevr").classes] == ["10", "3", "4", "5", "6", "7", "8", "9"]
    kitti = {known.folder: known.name for known in load_declaration("kitti").classes}
    assert kitti["below_8"] == "a photo i took of a car on my left or right side."
    assert kitti["above_20"] == "a photo i took with a car in the distance."
    country = {known.folder: known.name for known in load_declaration("country211").classes}
    assert list(country) == sorted(country)
    assert (country["CH"], country["CD"], country["XK"], country["BQ"]) == (
        "Switzerland",
        "DR Congo",
        "Kosovo",
        "Bonaire, Saint Eustatius and Saba",
    )
    actions = {known.name: known.folder for known in load_declaration("ucf101").classes}
    assert (actions["Yo Yo"], actions["Hand Stand Pushups"]) == ("YoYo", "HandstandPushups")
