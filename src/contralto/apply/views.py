"""Several views of one picture: their mean embedding, and how far they are apart (test-time augmentation).

The twelve views are the whole picture, five crops of it (four corners and the centre), and the mirror image of each.
Nothing is sharpened or made up.

Do not expect much of the mean. Measured with nano on 330 pictures of seven sets (`benchmarks/views.py`): top-1 gains
2.7 points on clear pictures [0.0, 5.5], and 0.7 [-0.5, 1.9] over seven conditions, of which small, blurred and
compressed pictures gain a little and dark and noisy ones lose. What helps is whether the views agree: of the 47% where
all name one label 73% are right, of the others 29%. The model's own score tells slightly more (76% of as many, those
with the highest), but it needs a bound, and agreement none. The spread of the embeddings knows no labels and tells
least: AUC of an error 0.62, of the share of views that disagree 0.74, of the score 0.84.

The crops have SIDE of the picture's sides. That was chosen on the other half of the pictures (270 in five conditions):
smaller crops do worse than one view, 0.8 by one point and 0.65 by four. The same choice, of four
views (whole, centre, mirrors), gained as much there and told less by their agreement (AUC 0.65 against 0.72).

The trap of mirror images: where left and right decide (writing, arrows, a car's steering wheel), half of the views show
something else. Compare with the single picture there.

`plain_views` in tests/apply/test_views.py is the plain twin of the work in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from contralto import inputs
from contralto.apply.picture import upright
from contralto.embeddings import Embeddings, unit
from contralto.encoder.options import OnError, Raise, Skip, check_options
from contralto.encoder.stream import prepare_ahead
from contralto.errors import ImageError
from contralto.inputs import Failure
from contralto.zeroshot.classifier import Prediction

if TYPE_CHECKING:
    from contralto.encoder import Clip

SIDE: Final = 0.9  # of a crop, in sides of the picture
VIEWS: Final = 12
AHEAD: Final = 2  # pictures whose views are prepared while the engine works

Pixels: TypeAlias = NDArray[np.float32]
Prepared: TypeAlias = tuple[int, Any, Pixels | ImageError]
"""(index, item, the pixels of its views (12, 3, H, W) or why there are none)."""


class Views(NamedTuple):
    """embeddings: float32, the unit mean of each picture's views, (d,) or (N, d). spread: float64, a number or (N,):
    how far the views are apart, 1 less their mean cosine with the mean; 0 if all are the same."""

    embeddings: Embeddings
    spread: NDArray[np.float64] | np.float64


class ViewedAnswer(NamedTuple):
    """predictions: the best labels of the mean embedding. spread: as in `Views`. sure: whether every single view has
    the same best label as the mean."""

    predictions: list[Prediction]
    spread: float
    sure: bool


def crops(picture: Image.Image) -> Iterator[Image.Image]:
    """The views, one by one: the whole, the crops at the four corners and in the centre; then their mirror images."""
    width, height = picture.size
    inner_width, inner_height = max(1, round(width * SIDE)), max(1, round(height * SIDE))
    right, low = width - inner_width, height - inner_height
    for turned in (lambda view: view, ImageOps.mirror):
        yield turned(picture)
        for x, y in ((0, 0), (right, 0), (0, low), (right, low), (right // 2, low // 2)):
            yield turned(picture.crop((x, y, x + inner_width, y + inner_height)))


@overload
def encode_views(clip: Clip, items: Any, *, on_error: Raise = ...) -> Views: ...
@overload
def encode_views(clip: Clip, items: Any, *, on_error: Skip) -> tuple[Views, list[Failure]]: ...
def encode_views(clip: Clip, items: Any, *, on_error: OnError = "raise") -> Views | tuple[Views, list[Failure]]:
    """Pictures -> the mean embeddings of their views and the spread; with on_error="skip" (views, failures).

    items, on_error: as `Clip.encode_image` takes them; embeddings are refused. Costs twelve pictures each. Raises
    ImageError for a picture that cannot be used, ContraltoError for unusable arguments.
    """
    check_options(on_error)
    single, several = inputs.pictures(items)
    failures: list[Failure] = []
    means, spreads = [np.empty((0, clip.contract.embedding), np.float32)], []
    with closing(_stream(clip, several, on_error)) as results:
        for _, result in results:
            if isinstance(result, Failure):
                failures.append(result)
            else:
                mean, spread = mean_view(result)
                means.append(mean[None])
                spreads.append(spread)
    views = Views(np.concatenate(means), np.array(spreads, np.float64))
    if single and spreads:
        views = Views(views.embeddings[0], np.float64(spreads[0]))
    return (views, failures) if on_error == "skip" else views


def stream_views(clip: Clip, items: Iterable[Any]) -> Generator[tuple[int, Embeddings | Failure], None, None]:
    """Any number of pictures in bounded memory: yields (index, unit embeddings (12, d) of the views or Failure)."""
    yield from _stream(clip, inputs.pictures(items)[1], "skip")


def mean_view(views: Embeddings) -> tuple[Embeddings, float]:
    """(the unit mean (d,) of the unit embeddings (V, d), the spread as in `Views`)."""
    mean = unit(views.mean(axis=0, dtype=np.float64))
    spread = 1 - float(np.mean(views.astype(np.float64) @ mean.astype(np.float64)))
    return mean, min(1.0, max(0.0, spread))


def classify_views(
    classify: Callable[[Embeddings, int], list[list[Prediction]]], views: Embeddings, top: int = 5
) -> ViewedAnswer:
    """The answer for one picture from the embeddings of its views (V, d).

    classify: a `Classifier`, or another function of (embeddings (N, d), number of labels). The picture is unsure if a
    view has another best label than the mean. This needs no bound, and so suits any model and number of labels.
    """
    mean, spread = mean_view(views)
    best = classify(mean[None], top)[0]
    labels = {predictions[0].label for predictions in classify(views, 1)}
    return ViewedAnswer(best, spread, labels == {best[0].label})


def _stream(
    clip: Clip, items: Iterable[Any], on_error: OnError
) -> Generator[tuple[int, Embeddings | Failure], None, None]:
    """As `stream_views`. A crop is turned into pixels before the next is made: memory holds few large pictures."""
    alpha = clip.contract.image.alpha
    if isinstance(items, Sized):
        clip.expect(pictures=VIEWS * len(items))

    def prepare(opened: tuple[int, Any, Image.Image | ImageError | None]) -> Prepared:
        index, item, picture = opened
        if isinstance(picture, ImageError):
            return index, item, picture
        try:
            whole = upright(item, alpha, index) if picture is None else picture
            return index, item, np.concatenate([clip.preprocess(view) for view in crops(whole)])
        except ImageError as error:
            return index, item, ImageError(inputs.picture_name(index, item), error.reason, error.lasting)

    with closing(prepare_ahead(prepare, _opened(items, alpha), AHEAD)) as prepared:
        for index, item, pixels in prepared:
            if not isinstance(pixels, ImageError):
                yield index, clip.encode_pixels(pixels)
            elif on_error == "raise":
                raise pixels
            else:
                yield index, Failure.of(index, item, pixels)


def _opened(
    items: Iterable[Any], alpha: Literal["white", "drop"]
) -> Iterator[tuple[int, Any, Image.Image | ImageError | None]]:
    """Each item; open files and Pillow images are decoded here, in order: two items may share one and its position."""
    for index, item in enumerate(items):
        try:
            shared = isinstance(item, Image.Image) or inputs.is_file(item)
            yield index, item, upright(item, alpha, index) if shared else None
        except ImageError as error:
            yield index, item, error
