"""Does the spread along an axis between two texts tell whether the model sees what the axis is about?

    python benchmarks/axis.py CAPTIONED_SET [--model nano]

CAPTIONED_SET: WebDataset tars with captions, such as flickr8k-dev.tar. An axis between two words of the captions is
right as often as it ranks a picture with only the second word in its captions above one with only the first (AUC). An
axis between two words without a look is not about pictures. Of both kinds, the share that spreads wider than a usual
axis of two unrelated nouns (`contralto.search.axis`) is printed, for all pictures and for small parts of them.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray

import contralto
from contralto.search.axis import Axis, encode_axis, relative_spread
from contralto.sets.open import open_set

SEEN = (
    *("dog", "man", "woman", "girl", "boy", "child", "people", "snow", "water", "grass", "beach", "street", "ball"),
    *("bike", "field", "rock", "pool", "mountain", "car", "soccer", "horse", "jump", "running", "climbing", "swimming"),
    *("red", "black", "white", "blue", "yellow", "sitting", "standing", "smiling", "hat", "shirt", "crowd", "group"),
    *("tree", "sand", "park", "ocean", "wall", "bench"),
)
UNSEEN = (
    *(
        "truth",
        "justice",
        "Tuesday",
        "Wednesday",
        "seven",
        "eight",
        "odd",
        "even",
        "north",
        "south",
        "democracy",
        "law",
    ),
    *("philosophy", "perhaps", "however", "x", "y", "idea", "theory", "very", "quite", "the", "of", "and", "because"),
    *("opinion", "tax", "grammar", "percent", "million", "March", "October", "error", "method"),
)
FEWEST = 10  # pictures that only one word of a pair describes
SHOWN = (
    *(("a photo at night", "a photo in daylight"), ("a black and white photo", "a colour photo")),
    *(("indoors", "outdoors"), ("a person", "a dog"), ("grass", "snow"), ("sad", "happy"), ("left", "right")),
    *(("qwx", "zzp"), ("a true photo", "a false photo"), ("a photo of a dog", "a photo of the dog")),
)
SIZES = (10, 30, 100)  # of the small parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    clip, items = contralto.load(options.model), open_set(options.set).items
    rows = clip.encode_image([item.encoder_input() for item in items])
    words = [set(" ".join(item.captions).lower().replace(".", " ").split()) for item in items]
    print(f"{options.model}, {len(rows)} pictures")
    for start, end in SHOWN:
        axis = encode_axis(clip, start, end)
        scores = axis.scores(rows)
        spread = relative_spread(clip, axis, rows)
        print(f"{start} -> {end}: {scores.min():.3f} to {scores.max():.3f}, spread {spread:.2f}")
    seen = [(axis, right(axis, rows, words, pair)) for pair, axis in axes(clip, SEEN)]
    judged = [(relative_spread(clip, axis, rows), share) for axis, share in seen if share is not None]
    for low, high in ((0.8, 1.0), (0.6, 0.8), (0.0, 0.6)):
        wide = [(spread or 0) > 1 for spread, share in judged if low < share <= high]
        print(f"seen words, AUC {low} to {high}: {np.mean(wide):.1%} of {len(wide)} axes are wide")
    unseen = [axis for _, axis in axes(clip, UNSEEN)]
    order = np.random.default_rng(0).permutation(len(rows))
    for size in (*SIZES, len(rows)):
        wide = [(relative_spread(clip, axis, rows[order[:size]]) or 0) > 1 for axis in unseen]
        print(f"words without a look, {size} pictures: {np.mean(wide):.1%} of {len(wide)} axes are wide")


def axes(clip: contralto.Clip, words: tuple[str, ...]) -> list[tuple[tuple[str, str], Axis]]:
    """Each pair of words with its axis."""
    embeddings = dict(zip(words, clip.encode_text(list(words)), strict=True))
    return [((a, b), Axis(embeddings[a], embeddings[b])) for a, b in itertools.combinations(words, 2)]


def right(axis: Axis, rows: NDArray[np.float32], words: list[set[str]], pair: tuple[str, str]) -> float | None:
    """The AUC of the pictures that only the second word describes over those of only the first; None for too few."""
    first, second = (np.array([word in some for some in words]) for word in pair)
    scores = axis.scores(rows)
    low, high = scores[first & ~second], scores[second & ~first]
    if min(len(low), len(high)) < FEWEST:
        return None
    return float((high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean())


if __name__ == "__main__":
    main()
