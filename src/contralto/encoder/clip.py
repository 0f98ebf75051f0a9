"""Clip: pictures and texts in, unit rows of one space out."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, embeddings
from contralto.contract import Contract
from contralto.embeddings import Embeddings
from contralto.encoder import items as kinds
from contralto.encoder import layouts, native, pictures
from contralto.encoder.features import headless
from contralto.encoder.items import Failure
from contralto.encoder.runner import Runner
from contralto.encoder.samples import Own, Samples
from contralto.engine import Engine, EngineReport, made_in, precision_of, recalibrate, report, start
from contralto.engine.base import TowerName
from contralto.errors import ContraltoError, ImageError, one_line
from contralto.text.tokenizer import Tokenizer, Unread
from contralto.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from contralto.model.clip import CLIP
    from contralto.zeroshot.classifier import Labels, Prediction, Templates

LEAST_TO_FIT = 16
OnError = Literal["raise", "skip"]
Progress = Callable[[int, int], object] | None


class Clip:
    """A model ready for use; `contralto.load` makes one. Safe to share between threads, and it survives a fork.

    Wherever pictures are taken: an item is a path, the bytes of a file, a Pillow image, an array uint8 (H, W, 3), or an
    open file, which is read from where it stands and stays open. One item gives one row (d,); a list or other iterable,
    or an array (N, H, W, 3), gives a matrix (N, d), also if N is 0 or 1. An array of floats, (d,) or (N, d), stands for
    rows that are encoded already. Embeddings are float32, of unit length. What is given is never changed.

    on_error: "raise" raises an ImageError or TextError that names the first item that fails; "skip" returns
    (rows that worked, list of Failure) instead. batch_size: how many go through the engine at once. progress is
    called with (done, total) as the work goes on.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        tokenizer: Tokenizer,
        engine: Engine,
        *,
        decode: Literal["exact", "scaled"] = "exact",
        reproducible: bool = False,
        reload: Callable[[], Clip] | None = None,
    ) -> None:
        """`load` is the usual way. reload makes this Clip again in another process; without it there is no pickling."""
        self._checkpoint, self._tokenizer, self._reload = checkpoint, tokenizer, reload
        image = checkpoint.contract.image
        self._scaled_to = max(image.resized or image.size) if decode == "scaled" else None
        self._runner = Runner(checkpoint.contract, engine, reproducible)
        self._headless = headless(checkpoint)

    @property
    def contract(self) -> Contract:
        """All that makes these weights a model, frozen."""
        return self._checkpoint.contract

    @property
    def checkpoint(self) -> Checkpoint:
        """The weights by name: a mapping to float32 arrays; `.raw(name)` gives a tensor as it is stored."""
        return self._checkpoint

    @property
    def engine(self) -> str:
        """Name of the engine in use: what "auto" chose."""
        return self._runner.engine.name

    @property
    def precision(self) -> str:
        """What the engine computes in now. auto is fp32 until there is much work; `engine_report` tells what then."""
        return self._runner.engine.precision

    def made_in(self, side: TowerName) -> str:
        """What the rows of a tower are made in, for who keeps them: see `contralto.engine.choose.made_in`."""
        arguments.one_of(side, "side", ("image", "text"))
        return made_in(self._runner.engine, side)

    def precision_of(self, tower: TowerName) -> str:
        """The precision that a tower is computed in now: one word, where `precision` may name both towers."""
        arguments.one_of(tower, "tower", ("image", "text"))
        return precision_of(self._runner.engine, tower)

    @property
    def device(self) -> str:
        """Where it is computed: "cpu", "cuda:0" ..."""
        return getattr(self._runner.engine, "device", "cpu")

    @property
    def reproducible(self) -> bool:
        """Whether an item gets the same bits whatever stands beside it."""
        return self._runner.reproducible

    @property
    def decode(self) -> Literal["exact", "scaled"]:
        """Whether every pixel of a picture is decoded, as in the reference, or large JPEGs are decoded smaller."""
        return "exact" if self._scaled_to is None else "scaled"

    def engine_report(self, *, measure: bool = True) -> EngineReport:
        """Engine, the precision of much work, why, and what was measured of each precision on this machine.

        If the model was never measured here, that is done now, and auto computes in what is chosen from here on. With
        measure=False nothing is measured or changed: `measured` is empty where nothing is remembered.
        """
        return report(self._runner.engine, measure=arguments.flag(measure, "measure"))

    def expect(self, *, pictures: int = 0, texts: int = 0) -> None:
        """Tells how much is to come in several calls, so that auto decides before the first as for one call."""
        if arguments.whole(pictures, "pictures", 0):
            self._runner.engine.expect("image", pictures)
        if arguments.whole(texts, "texts", 0):
            self._runner.engine.expect("text", texts)

    def fit(self, pictures: Any = None, texts: Any = None) -> EngineReport:
        """Measures each precision anew, and fits int8, on pictures and texts of one's own, at least 16 of either.

        What is given takes the place of what code draws and writes; it is remembered for this model on this machine.
        Raises ContraltoError for fewer, and if engine and precision were asked for; ImageError, TextError.
        """
        pixels = None if pictures is None else self.preprocess(pictures)
        ids = None if texts is None else self.tokenize(texts, truncate=True)
        for what, given in (("pictures", pixels), ("texts", ids)):
            if given is not None and len(given) < LEAST_TO_FIT:
                raise ContraltoError(f"fitting takes at least {LEAST_TO_FIT} {what}, got {len(given)}")
        return recalibrate(self._runner.engine, Own(Samples(self.contract, self._tokenizer), pixels, ids))

    # Pictures

    @overload
    def encode_image(
        self, items: Any, *, on_error: Literal["raise"] = ..., batch_size: int | None = ..., progress: Progress = ...
    ) -> Embeddings: ...
    @overload
    def encode_image(
        self, items: Any, *, on_error: Literal["skip"], batch_size: int | None = ..., progress: Progress = ...
    ) -> tuple[Embeddings, list[Failure]]: ...
    def encode_image(
        self, items: Any, *, on_error: OnError = "raise", batch_size: int | None = None, progress: Progress = None
    ) -> Embeddings | tuple[Embeddings, list[Failure]]:
        """Pictures -> unit rows: (d,) for one, (N, d) for a list; with on_error="skip" (rows, failures).

        Raises ImageError for a picture that cannot be used, ContraltoError for arguments that cannot.
        """
        _check(on_error, batch_size, progress)
        failures: list[Failure] = []
        found = kinds.encoded_already(items, self.contract.embedding)
        if found is None:
            found = self._encoded(self._runner, items, on_error, batch_size, progress, failures)
        return (found, failures) if on_error == "skip" else found

    def stream_images(
        self, items: Iterable[Any], *, batch_size: int | None = None
    ) -> Generator[tuple[int, Embeddings | Failure], None, None]:
        """Any number of pictures in bounded memory: (index, unit row (d,) or Failure) of each, in their order.

        items may be a generator; it is read a few batches ahead. Closing the iterator ends the threads behind it.
        """
        yield from self._streamed(self._runner, items, batch_size)

    @overload
    def features(
        self, items: Any, *, on_error: Literal["raise"] = ..., batch_size: int | None = ..., progress: Progress = ...
    ) -> Embeddings: ...
    @overload
    def features(
        self, items: Any, *, on_error: Literal["skip"], batch_size: int | None = ..., progress: Progress = ...
    ) -> tuple[Embeddings, list[Failure]]: ...
    def features(
        self, items: Any, *, on_error: OnError = "raise", batch_size: int | None = None, progress: Progress = None
    ) -> Embeddings | tuple[Embeddings, list[Failure]]:
        """Pictures -> what the tower makes before its projection, float32 (w,) or (N, w), not of unit length.

        The paper's linear probes read these (its section 3.2). w is `feature_width`. They are computed in fp32 always.
        A ResNet's are its embeddings before they are made unit: its attention pool has the projection in it.
        """
        failures: list[Failure] = []
        found = self._encoded(self._featurer, items, on_error, batch_size, progress, failures)
        return (found, failures) if on_error == "skip" else found

    def stream_features(
        self, items: Iterable[Any], *, batch_size: int | None = None
    ) -> Generator[tuple[int, Embeddings | Failure], None, None]:
        """As `stream_images`, with the `features` of each picture."""
        yield from self._streamed(self._featurer, items, batch_size)

    @property
    def feature_width(self) -> int:
        """Numbers of a picture's `features`."""
        return self._headless.contract.embedding

    def preprocess(self, items: Any) -> NDArray[np.float32]:
        """Pictures -> float32 (N, 3, H, W), exactly what the picture tower sees; N is 1 for one. Raises ImageError."""
        spec = self.contract.image
        arrays = [np.empty((0, 3, *spec.size), np.float32)]
        ahead = self._runner.images_at_once
        with closing(pictures.prepared(kinds.pictures(items)[1], spec, self._scaled_to, ahead)) as stream:
            for _, _, result in stream:
                if isinstance(result, ImageError):
                    raise result
                arrays.append(result[None])
        return np.concatenate(arrays)

    def encode_pixels(self, pixels: ArrayLike) -> Embeddings:
        """Finite float32 (N, 3, H, W), as `preprocess` makes them -> unit rows (N, d). Else a ContraltoError."""
        return self._runner.pixels(pixels)

    # Texts

    @overload
    def encode_text(
        self,
        texts: Any,
        *,
        truncate: bool = ...,
        on_error: Literal["raise"] = ...,
        batch_size: int | None = ...,
        progress: Progress = ...,
    ) -> Embeddings: ...
    @overload
    def encode_text(
        self,
        texts: Any,
        *,
        truncate: bool = ...,
        on_error: Literal["skip"],
        batch_size: int | None = ...,
        progress: Progress = ...,
    ) -> tuple[Embeddings, list[Failure]]: ...
    def encode_text(
        self,
        texts: Any,
        *,
        truncate: bool = False,
        on_error: OnError = "raise",
        batch_size: int | None = None,
        progress: Progress = None,
    ) -> Embeddings | tuple[Embeddings, list[Failure]]:
        """Texts -> unit rows: (d,) for one str, (N, d) for a list; with on_error="skip" (rows, failures).

        truncate: an over-long text loses its end, and a UserWarning names it; else it is a TextError. Raises that too
        for a text that is no str, or no valid Unicode.
        """
        _check(on_error, batch_size, progress)
        single, several = kinds.texts(texts)
        ids, failures = self._ids(several, truncate, on_error)
        found = self._runner.texts(ids, batch_size, progress)
        found = found[0] if single and len(found) else found
        return (found, failures) if on_error == "skip" else found

    def tokenize(self, texts: str | Iterable[str], truncate: bool = False) -> NDArray[np.int64]:
        """The published ids, int64 (N, context), padded as the contract says; N is 1 for one str. Raises TextError."""
        return self._ids(kinds.texts(texts)[1], truncate, "raise")[0]

    def too_long(self, texts: str | Iterable[str]) -> list[int]:
        """Places of the texts that are longer than the context, which `truncate` would cut. Raises TextError."""
        _, cut, failed = self._tokenizer.tokenize_each(kinds.texts(texts)[1], truncate=True)
        if failed:
            raise failed[0].error
        return cut

    def unread(self, texts: str | Iterable[str]) -> list[Unread]:
        """The texts that the model cannot read, or not whole, with their `index` and the `words` that its vocabulary
        lacks. Where `rest` is False it knows no word of the text, and its row means nothing. Raises TextError."""
        return self._tokenizer.unread(kinds.texts(texts)[1])

    def encode_labels(self, labels: Labels, templates: Templates = "photo") -> Embeddings:
        """Class names -> (L, d): of each the mean of its templates' unit rows, scaled to unit length.

        labels: a list, or a dict label -> name or names whose rows are averaged. templates: the name of a set, a list
        of strings with `{}`, or None. Asked for again, they are read from the cache folder. Raises ContraltoError.
        """
        from contralto.zeroshot import classifier  # the layer above, to which this is a door

        return classifier.build(self, labels, templates).rows

    # Pictures against texts

    def similarity(self, images: Any, texts: Any) -> Embeddings:
        """Cosines (N, M) of N pictures and M texts. Embeddings that are encoded already may stand for either."""
        return embeddings.cosines(np.atleast_2d(self.encode_image(images)), np.atleast_2d(self._given_or_text(texts)))

    def score(self, images: Any, texts: Any) -> Embeddings:
        """(N, M): softmax over the texts (rows sum to 1), or the sigmoid of each pair, as the contract says."""
        return embeddings.probabilities(self.similarity(images, texts), self.contract.score)

    def classify(
        self, items: Any, labels: Labels, *, templates: Templates = "photo", top: int = 5
    ) -> list[Prediction] | list[list[Prediction]]:
        """The `top` best labels, as (label, score), best first: a list for one picture, a list of lists for a list.

        Scores follow the contract's rule over all labels. labels and templates as in `encode_labels`.
        """
        from contralto.zeroshot import classifier

        arguments.whole(top, "top")
        classify = classifier.build(self, labels, templates)
        images = self.encode_image(items)
        return classify(images, top) if images.ndim == 2 else classify(images[None], top)[0]

    # The model itself

    def save(self, folder: str | os.PathLike[str], layout: str = "native") -> None:
        """Writes the model to a folder that `contralto.load` reads; the weights are copied bit for bit as stored.

        layout: native, open_clip or transformers, which load the last two. Raises WeightsError if the folder cannot be
        written, or the layout has no place for this architecture.
        """
        arguments.word(layout, "layout")
        layouts.save(self._checkpoint, Path(arguments.path(folder, "folder")), layout)

    def torch(self) -> CLIP:
        """The readable PyTorch model with these weights, in float32 and eval mode: its own copy, free to be trained.

        Raises MissingExtraError without the extra `torch`.
        """
        return native.module(self._checkpoint)

    def __repr__(self) -> str:
        return f"<Clip {self.contract.name}: {self.contract.embedding} numbers a row, {self.engine}, {self.precision}>"

    def __reduce__(self) -> tuple[Callable[[], Clip], tuple[()]]:
        """Another process opens the same source again; weights do not travel."""
        if self._reload is None:
            raise TypeError("this Clip was not made by contralto.load, so it cannot be pickled")
        return self._reload, ()

    @functools.cached_property
    def _featurer(self) -> Runner:
        engine = start(self._headless, engine=self.engine, precision="fp32", device=self.device)
        return Runner(self._headless.contract, engine, self.reproducible, normalise=False)

    def _encoded(
        self,
        runner: Runner,
        items: Any,
        on_error: OnError,
        batch_size: int | None,
        progress: Progress,
        failures: list[Failure],
    ) -> Embeddings:
        _check(on_error, batch_size, progress)
        single, given = kinds.pictures(items)
        several = given if isinstance(given, list | tuple | np.ndarray) else list(given)
        found: list[Embeddings] = [np.empty((0, runner.contract.embedding), np.float32)]
        with closing(pictures.encoded(several, runner, self._scaled_to, batch_size)) as stream:
            for index, item, result in stream:
                if not isinstance(result, ImageError):
                    found.append(result[None])
                elif on_error == "raise":
                    raise result
                else:
                    failures.append(Failure.of(index, item, result))
                if progress is not None:
                    progress(index + 1, len(several))
        rows = np.concatenate(found)
        return rows[0] if single and len(rows) else rows

    def _streamed(
        self, runner: Runner, items: Iterable[Any], batch_size: int | None
    ) -> Generator[tuple[int, Embeddings | Failure], None, None]:
        _check("skip", batch_size)
        with closing(pictures.encoded(kinds.pictures(items)[1], runner, self._scaled_to, batch_size)) as stream:
            for index, item, result in stream:
                yield index, Failure.of(index, item, result) if isinstance(result, ImageError) else result

    def _ids(self, texts: list[Any], truncate: bool, on_error: OnError) -> tuple[NDArray[np.int64], list[Failure]]:
        """ids (N, context) of the texts that can be used; those that cannot. What is cut is named in a UserWarning."""
        ids, cut, failed = self._tokenizer.tokenize_each(texts, arguments.flag(truncate, "truncate"))
        if failed and on_error == "raise":
            raise failed[0].error
        if cut:
            named = ", ".join(f"text {place} ({one_line(texts[place], 40)!r})" for place in cut[:5])
            more = f" and {len(cut) - 5} more" if len(cut) > 5 else ""
            warnings.warn(f"cut to {self.contract.text.context} tokens: {named}{more}", UserWarning, stacklevel=3)
        return ids, [Failure.of(failure.index, texts[failure.index], failure.error) for failure in failed]

    def _given_or_text(self, texts: Any) -> Embeddings:
        found = kinds.encoded_already(texts, self.contract.embedding)
        return self.encode_text(texts) if found is None else found


def _check(on_error: str, batch_size: int | None, progress: Progress = None) -> None:
    arguments.one_of(on_error, "on_error", ("raise", "skip"))
    if batch_size is not None:
        arguments.whole(batch_size, "batch_size")
    arguments.function(progress, "progress", "done, total")
