"""Nonsense in: one ContraltoError of one line, whichever method and argument of a Clip it is given to."""

from __future__ import annotations

import inspect
import io

import numpy as np
import pytest
from support.fake_engine import FakeEngine, picture

from contralto.encoder import Clip, featurizer
from contralto.errors import ContraltoError
from contralto.text import tokenizer
from contralto.weights import native
from contralto.zeroshot import classifier, prompts
from contralto.zeroshot.calibrated import Calibration, label_scores

NAN, INF = float("nan"), float("inf")
ARRAY = picture(0)


def text_file() -> io.StringIO:
    return io.StringIO("a cat\na dog\n")


class Table:
    """Iterates over the names of its columns, as a data frame does."""

    def __iter__(self):
        return iter(["column"])

    def __array__(self, dtype=None, copy=None):
        return np.array([["a", "b"], ["c", "d"]], object)


NO_PICTURES = [None, 3, NAN, object(), {"a": ARRAY}, {1, 2}, Clip, [None], [[ARRAY]], b"x", "absent.png", Table(), ""]
NO_ROWS = [np.zeros(128), np.full(128, NAN), np.full((2, 128), INF), np.ones(127), np.ones((2, 129))]
NO_TEXTS = [
    None,
    3,
    NAN,
    object(),
    b"a cat",
    bytearray(b"a"),
    {"a": 1},
    {"a"},
    frozenset("a"),
    str,
    text_file(),
    Table(),
]
NO_TEXTS += [[None], [3], [["a"]], [b"a"], ["a", NAN], np.array([[1, 2]]), np.array(3), np.array([b"a"]), ["\ud800"]]
NO_LABELS = [*NO_TEXTS[:-1], [], {}, "cat", np.str_("cat"), np.array("cat"), {"a": []}, {"a": None}, {"a": 3}]
NO_LABELS += [{"a": b"cat"}, {"a": ["x", 3]}, {3: "a"}, {"a": {"b": "c"}}, {"a": text_file()}, [("a", "b")]]
NO_TEMPLATES = [3, b"{}", object(), [], "", "unknown", "a {}", ["a cat"], [3], [None], [b"{}"], {"{}"}, {"{}": 1}]
NO_TEMPLATES += [lambda c: f"a {c}", [lambda c: f"a {c}"], (str.upper,), text_file(), str, Table(), NAN]
NO_COUNT = [0, -1, 2.5, "x", "2", NAN, True, [1], object()]
NO_FLAG = ["no", None, 1, 0, [True], object()]
NO_PROGRESS = ["print", 3, [], True]
NO_ON_ERROR = ["ignore", None, 3, ["raise"], True]
NO_PIXELS = [
    None,
    "x",
    3,
    [],
    ARRAY,
    [[1], [1, 2]],
    object(),
    np.zeros((1, 3, 48, 48), np.uint8),
    np.zeros((3, 48, 48)),
]
NO_PIXELS += [np.full((1, 3, 48, 48), bad, np.float32) for bad in (NAN, INF, -INF)]
NO_PIXELS += [
    np.zeros((1, 3, 48, 48), np.uint8),
    np.full((1, 3, 48, 48), 1e300),
    np.zeros((1, 3, 48, 48), complex),
    np.zeros((1, 3, 48, 47)),
]
PICTURES = {"items": (ARRAY, NO_PICTURES)}
ITERATED = {"items": ([ARRAY], NO_PICTURES[:7])}
BATCHES = {"batch_size": (2, NO_COUNT), "progress": (None, NO_PROGRESS), "on_error": ("raise", NO_ON_ERROR)}
TEXTS = {"texts": (["a"], NO_TEXTS)}
LABELS = {"labels": (["a", "b"], NO_LABELS), "templates": ("photo", NO_TEMPLATES)}
OVERLONG = {"overlong": ("error", [None, 3, True, "", "cut", "learned", ["window"]])}
PAIRS = {"images": (ARRAY, NO_PICTURES + NO_ROWS), "texts": (["a"], NO_TEXTS + NO_ROWS)}

# method -> {argument: (a value that will do, values that must not)}
TABLE = {
    "encode_image": {"items": (ARRAY, NO_PICTURES + NO_ROWS), **BATCHES},
    "features": {**PICTURES, **BATCHES},
    "cells": {
        **PICTURES,
        "how": ("auto", [None, 3, "", "clearly", ["plain"], True]),
        "on_error": ("raise", NO_ON_ERROR),
    },
    "stream_images": {**ITERATED, "batch_size": (2, NO_COUNT)},
    "stream_features": {**ITERATED, "batch_size": (2, NO_COUNT)},
    "preprocess": PICTURES,
    "encode_pixels": {"pixels": (np.zeros((1, 3, 48, 48)), NO_PIXELS)},
    "encode_text": {**TEXTS, "truncate": (False, NO_FLAG), **OVERLONG, **BATCHES},
    "tokenize": {**TEXTS, "truncate": (False, NO_FLAG)},
    "too_long": TEXTS,
    "unread": TEXTS,
    "encode_labels": {**LABELS, **OVERLONG},
    "similarity": PAIRS,
    "score": PAIRS,
    "classify": {"items": (ARRAY, NO_PICTURES + NO_ROWS), **LABELS, "top": (2, [None, *NO_COUNT])},
    "calibrate": {"pictures": (None, [p for p in NO_PICTURES if p is not None]), "texts": (None, NO_TEXTS[1:])},
    "precision_of": {"tower": ("image", [None, "x", "", 3, ["image"]])},
    "made_in": {"tower": ("image", [None, "x", "", 3, ["image"]])},
    "expect": {"pictures": (1, [-1, 2.5, "x", None, True]), "texts": (1, [-1, 2.5, "x", None, True])},
    "engine_report": {"measure": (False, NO_FLAG)},
    "save": {
        "folder": ("", [None, 3, NAN, object(), "", b"", [], "a\0b", str]),
        "layout": ("native", [None, 3, "x", []]),
    },
}
CASES = [(m, a, wrong) for m, arguments in TABLE.items() for a, (_, several) in arguments.items() for wrong in several]


def called(clip, method, **other):
    result = getattr(clip, method)(**{argument: good for argument, (good, _) in TABLE[method].items()} | other)
    return list(result) if method.startswith("stream") else result


@pytest.fixture(scope="module")
def shared(folder):
    """One Clip for all calls, because none of them may change it. Its features come from a fake engine too."""
    checkpoint = native.read(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(featurizer, "start", lambda headless, **options: FakeEngine(headless.contract))
        yield Clip(checkpoint, tokenizer.load(checkpoint.contract.text), FakeEngine(checkpoint.contract))


def test_every_public_method_and_argument_is_in_the_table():
    methods = {n: f for n, f in vars(Clip).items() if inspect.isfunction(f) and not n.startswith("_")}
    methods.pop("torch")  # takes nothing
    methods.pop("fit")  # the deprecated name of calibrate
    for name, function in methods.items():
        assert set(inspect.signature(function).parameters) - {"self"} == TABLE[name].keys(), name


@pytest.mark.parametrize("method", sorted(TABLE.keys() - {"engine_report", "calibrate", "save"}))
def test_the_good_values_are_answered(shared, method):
    called(shared, method)


@pytest.mark.parametrize(("method", "argument", "wrong"), CASES)
def test_nonsense_is_one_line(shared, tmp_path, method, argument, wrong):
    other = {"folder": tmp_path / "there"} if method == "save" and argument != "folder" else {}
    with pytest.raises(ContraltoError) as caught:
        called(shared, method, **other | {argument: wrong})
    assert str(caught.value).isprintable()
    assert str(caught.value)


def test_saving_to_a_file_is_one_line(clip, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"kept")
    for layout in ("native", "open_clip", "transformers"):
        with pytest.raises(ContraltoError) as caught:
            clip.save(path, layout)
        assert str(caught.value).isprintable()
    assert path.read_bytes() == b"kept"


def test_fit_is_the_deprecated_name_of_calibrate(clip):
    with (
        pytest.warns(DeprecationWarning, match=r"Clip\.calibrate") as caught,
        pytest.raises(ContraltoError, match="calibrating takes at least 16 pictures, got 1"),
    ):
        clip.fit([ARRAY])
    assert caught[0].filename == __file__
    with pytest.raises(ContraltoError, match="calibrating takes at least 16 texts, got 2"):
        clip.calibrate(texts=["a", "b"])


@pytest.mark.parametrize(
    ("method", "wrong", "said"),
    [
        ("classify", {"top": None}, "top must be a whole number of at least 1, got None"),
        ("classify", {"top": 2.5}, "got 2.5"),
        ("classify", {"templates": lambda c: c}, r"give \[t\('\{\}'\) for t in templates\]"),
        ("encode_text", {"texts": text_file()}, r"an open file: give its lines, \[line.strip\(\) for line in file\]"),
        ("encode_text", {"texts": b"a"}, "got bytes: decode it"),
        ("encode_labels", {"labels": {"a", "b"}}, "labels must be .* a set, which has no order: give a list"),
        ("encode_text", {"truncate": "no"}, "truncate must be True or False, got 'no'"),
        ("encode_image", {"progress": 3}, r"progress must be a function of \(done, total\) or None, got 3"),
        ("encode_pixels", {"pixels": np.full((1, 3, 48, 48), NAN)}, "pixels of picture 0 are not finite"),
        ("similarity", {"texts": np.ones((2, 5))}, r"an array \(2, 5\) of floats is not embeddings of this model"),
    ],
)
def test_the_line_says_what_is_wrong_and_what_to_give(clip, method, wrong, said):
    with pytest.raises(ContraltoError, match=said):
        called(clip, method, **wrong)


def test_templates_of_open_clip_become_ours_as_the_error_says(clip):
    theirs = (lambda c: f"a photo of a {c}.", lambda c: f"a {c} in art")
    ours = prompts.templates([t("{}") for t in theirs])
    assert prompts.fill(ours, "cat") == [t("cat") for t in theirs]
    assert np.array_equal(
        clip.encode_labels(["cat"], ours), clip.encode_labels(["cat"], ["a photo of a {}.", "a {} in art"])
    )


def test_lists_of_other_makes_are_lists(clip):
    wanted = clip.encode_text(["a cat", "a dog"])
    texts = np.array(["a cat", "a dog"])
    for given in (texts, texts.astype(object), texts.astype(np.dtypes.StringDType()), iter(texts), tuple(texts)):
        assert np.array_equal(clip.encode_text(given), wanted)
    for one in (np.str_("a cat"), np.array("a cat")):
        assert np.array_equal(clip.encode_text(one), wanted[0])
    rows = clip.encode_labels(["cat", "dog"])
    for given in (
        iter(["cat", "dog"]),
        np.array(["cat", "dog"]),
        {"x": "cat", "y": ("dog",)},
        {"x": iter(["cat"]), "y": "dog"},
    ):
        assert np.array_equal(clip.encode_labels(given), rows)


@pytest.mark.parametrize("images", [np.ones(128), np.ones((2, 127)), np.ones((2, 128, 1))])
def test_a_classifier_takes_rows_of_its_model(clip, images):
    with pytest.raises(ContraltoError, match=r"images must be embeddings \(N, 128\)"):
        classifier.build(clip, ["a"])(images)


def test_rows_that_an_engine_makes_of_no_numbers_are_an_error(clip, monkeypatch):
    monkeypatch.setattr(clip.fake, "image", lambda pixels: np.full((len(pixels), 128), NAN))
    monkeypatch.setattr(clip.fake, "text", lambda ids: np.full((len(ids), 128), INF))
    for call in (lambda: clip.encode_image(ARRAY), lambda: clip.encode_text("a"), lambda: clip.classify(ARRAY, ["a"])):
        with pytest.raises(ContraltoError, match="tiny: fake in fp64 gave an embedding that is not finite"):
            call()


KNOWN = Calibration(1.0, 0.0, 0.5)


@pytest.mark.parametrize(
    "call",
    [
        *(lambda bad=bad: Calibration(bad, 0.0, 0.5) for bad in (None, "1", NAN, INF, True, [1])),
        *(lambda bad=bad: Calibration(1.0, bad, 0.5) for bad in (None, "1", NAN, INF)),
        *(lambda bad=bad: Calibration(1.0, 0.0, bad) for bad in (None, "1", NAN, 0, 1, -1)),
        lambda: Calibration(1.0, 0.0, 0.5, 3),
        *(lambda bad=bad: Calibration.fit(bad, [[0, 1]]) for bad in (None, "x", [[NAN, 1]], [[0, 1, 2]], [[1j, 2]])),
        *(
            lambda bad=bad: Calibration.fit([[0.1, 0.2]], bad)
            for bad in (None, "x", [[0, 5]], [[NAN, 1]], [[0], [0, 1]])
        ),
        *(lambda bad=bad: KNOWN.probabilities(bad) for bad in (None, "x", [NAN], [INF], [[1], [1, 2]], [1j])),
        *(lambda bad=bad: KNOWN.probabilities([0.1], bad) for bad in ("x", NAN, 0, 1, [0.5])),
        *(lambda bad=bad: Calibration.from_json(bad) for bad in (None, 3, b"\xff", "", "[]")),
        *(lambda bad=bad: prompts.read(bad) for bad in ("absent.txt", "")),
    ],
)
def test_calibrations_and_files_of_templates_refuse_nonsense(call):
    with pytest.raises(ContraltoError) as caught:
        call()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("wrong", [3, "x", object()])
def test_a_calibration_is_one(clip, wrong):
    with pytest.raises(ContraltoError, match="calibration must be a Calibration or None"):
        label_scores(clip, ARRAY, ["a"], wrong)
