"""From a picture and a text to the explanation of their cosine."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, assert_never, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contralto import arguments, inputs
from contralto.apply.explain import by_cells, by_gradient, by_masks, by_occlusion, by_words
from contralto.apply.explain.explanation import METHODS, Explanation, Method
from contralto.apply.explain.sanity import spearman
from contralto.apply.picture import in_own_mode
from contralto.architecture import Eva, ViT
from contralto.embeddings import unit
from contralto.errors import ContraltoError
from contralto.image.seen import seen
from contralto.image.transform import pixels
from contralto.progress import log_progress

if TYPE_CHECKING:
    from contralto.encoder import Clip
    from contralto.encoder.finish import Finish


Float64 = NDArray[np.float64]


class Subject(NamedTuple):
    """What is explained: an upright picture, its pixels (3, H, W), and its grid in float64.

    views: the grid, and for the method cells those of windows.
    """

    image: Image.Image
    pixels: NDArray[np.float32]
    grid: Float64
    views: list[by_cells.View]


def explain(
    clip: Clip,
    item: Any,
    text: str,
    *,
    method: Literal["auto"] | Method = "auto",
    against: str | None = None,
    check: bool = False,
    samples: int = 1000,
    seed: int = 0,
) -> Explanation:
    """Which places of one picture, and which words of a text, speak for their cosine.

    The picture is decoded exactly, whatever `clip.decode` is, and its grid is computed in fp32.
    method: auto is relevance for a tower with a class token, else cells.
        relevance   one encode: how the last layer attends, times what that does to the cosine; never negative
        gradcam     one encode: a map of channels times what it does to the cosine, with its sign
        cells       five encodes: how much more like the text than unrelated nouns are, and than the rest of the picture
        occlusion   50 encodes: the cosine lost when a square of 1/4 of the side is painted with the mean colour
        rise        `samples` encodes: the cosine under random masks
    against: another text; the difference of the two cosines is explained then, positive where it speaks for `text`.
    check: computes the map again with random weights behind the grid, for `sanity`: near 0 is good, and a map that is
    nearly the same says nothing about the model. samples, seed: of rise; the seed is also that of the random weights.

    Raises ImageError, TextError; ContraltoError for unusable arguments, for a method that the tower does not have, for
    a gradient through an adapter, and for a detector, which has no embedding of the whole picture.
    """
    several = explain_texts(clip, item, [text], method=method, against=against, check=check, samples=samples, seed=seed)
    return several[0]


def explain_texts(
    clip: Clip,
    item: Any,
    texts: Sequence[str],
    *,
    method: Literal["auto"] | Method = "auto",
    against: str | None = None,
    check: bool = False,
    samples: int = 1000,
    seed: int = 0,
) -> list[Explanation]:
    """`explain` for several texts and one picture, which is decoded once and goes through the tower once."""
    arguments.one_of(method, "method", ("auto", *METHODS))
    samples, seed = arguments.whole(samples, "samples"), arguments.whole(seed, "seed", 0)
    check = arguments.flag(check, "check")
    for text in texts:
        arguments.word(text, "text")
    others = [] if against is None else [arguments.word(against, "against")]
    if clip.contract.detector is not None:
        raise ContraltoError(f"{clip.contract.name} is a detector: ask it what is where with contralto detect")
    chosen = _chosen(clip, method)
    rows = clip.encode_text([*texts, *others]).astype(np.float64)
    subject = _subject(clip, item, chosen)
    alone = by_cells.background(clip) if chosen == "cells" and not others else np.zeros(rows.shape[1])
    ground = rows[-1] if others else alone
    embedding = _embedding(clip, subject.grid)
    size, whole = subject.image.size, seen(clip.contract.image, subject.image.size)
    area = whole if chosen in ("occlusion", "rise") else clip.grids.area(size)
    random = clip.grids.randomised(seed) if check else None
    explanations = []
    for text, row in zip(texts, rows, strict=False):  # the last row may be the other text's
        compute = functools.partial(_grid, clip, chosen, subject, row - ground, samples, seed)
        grid = compute(clip.grids.finish)
        sanity = None if random is None else spearman(grid, compute(random))
        cosine = float(np.clip(embedding @ row, -1, 1))
        words = by_words.effects(clip, text, embedding, cosine)
        explanations.append(Explanation(grid.astype(np.float32), area, whole, size, cosine, chosen, words, sanity))
    return explanations


def _chosen(clip: Clip, method: str) -> Method:
    """The method to use. Raises ContraltoError for a gradient through an adapter."""
    adapted = clip.grids.change is not None
    if method != "auto":
        if method in ("relevance", "gradcam") and adapted:
            raise ContraltoError(
                f"method {method} does not see the adapter of this model: use cells, occlusion or rise"
            )
        return cast(Method, method)
    match clip.contract.image.tower:
        case ViT(pool="class") | Eva() if not adapted:
            return "relevance"
        case _:
            return "cells"


def _subject(clip: Clip, item: Any, method: Method) -> Subject:
    image = _upright(clip, item)
    prepared = pixels(image, clip.contract.image)
    grid = clip.grids.of(prepared[None])[0].astype(np.float64)
    views = [by_cells.View(grid, clip.grids.area(image.size))]
    if method == "cells":
        views += by_cells.windows(clip, image)
    return Subject(image, prepared, grid, views)


def _upright(clip: Clip, item: Any) -> Image.Image:
    """The picture, upright and in its own mode, every pixel decoded. Raises ImageError; ContraltoError for a list."""
    single, several = inputs.pictures(item)
    if not single or inputs.encoded_already(item, clip.contract.embedding) is not None:
        raise ContraltoError("explain takes one picture; call it for each picture of a list")
    return in_own_mode(next(iter(several)), clip.contract.image.alpha)


def _grid(
    clip: Clip, method: Method, subject: Subject, target: Float64, samples: int, seed: int, finish: Finish
) -> Float64:
    """The map of one method, by the finish of the model or by a random one."""
    batch = clip.grids.images_at_once
    score = functools.partial(_scores, clip, finish, target)
    match method:
        case "relevance":
            return by_gradient.relevance(finish, subject.grid, target)
        case "gradcam":
            return by_gradient.gradcam(finish, subject.grid, target)
        case "cells":
            return by_cells.cells(clip, finish, subject.views, target)
        case "occlusion":
            return by_occlusion.occlusion(score, subject.pixels, batch)
        case "rise":
            stage = "masks" if finish is clip.grids.finish else "masks, with random weights"
            return by_masks.rise(score, subject.pixels, samples, seed, batch, functools.partial(log_progress, stage))
        case _:
            assert_never(method)


def _scores(clip: Clip, finish: Finish, target: Float64, several: NDArray[np.float32]) -> Float64:
    """Pixels (N, 3, H, W) -> (N,): the embeddings times the target, by the engine if the finish is the model's own."""
    if finish is clip.grids.finish:
        embeddings = clip.encode_pixels(several)
    else:
        embeddings = unit(np.stack([finish.embed(grid.astype(np.float64)) for grid in clip.grids.of(several)]))
    scores: Float64 = embeddings.astype(np.float64) @ target
    return scores


def _embedding(clip: Clip, grid: Float64) -> Float64:
    """The unit embedding (d,) of the whole picture, after the adapter if there is one."""
    embedding = unit(clip.grids.finish.embed(grid))
    if clip.grids.change is not None:
        embedding = clip.grids.change(embedding[None])[0]
    return embedding.astype(np.float64)
