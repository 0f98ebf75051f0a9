"""Clip: pictures and texts in, unit embeddings of one space out.

The methods are in the order of use. Each checks its arguments and passes the work to a module of this folder.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contralto import arguments, embeddings, inputs
from contralto.contract import Contract
from contralto.embeddings import Embeddings
from contralto.encoder import loaded_adaptation, pictures, saving, torch_model
from contralto.encoder import overlong as long_texts
from contralto.encoder import texts as token_ids
from contralto.encoder.featurizer import Featurizer
from contralto.encoder.grids import Grids
from contralto.encoder.loaded_adaptation import LoadedAdaptation
from contralto.encoder.options import Batching, Encoded, OnError, Progress, Raise, Skip, TextBatching, check_options
from contralto.encoder.overlong import Pooler
from contralto.encoder.pictures import EmbeddingStream
from contralto.encoder.runner import Runner
from contralto.encoder.samples import DrawnSamples, UserSamples
from contralto.engine import Engine, EngineReport, made_in, precision_of, recalibrate, report
from contralto.engine.base import TowerName, require_embeddings
from contralto.text.tokenizer import Tokenizer, UnreadText
from contralto.weights.checkpoint import Checkpoint
from contralto.zeroshot import classifier
from contralto.zeroshot.classifier import Labels, Prediction, Templates

if TYPE_CHECKING:
    from contralto.model.clip import CLIP


class Clip:
    """A model ready for use; `contralto.load` makes one. Threads may share it, and it survives a fork.

    A picture is a path, the bytes of a file, a Pillow image, an array uint8 (H, W, 3), or an open file, which is read
    from its current position and stays open. One picture gives one embedding (d,); a list, another iterable or an array
    (N, H, W, 3) gives (N, d), also if N is 0 or 1. An array of floats, (d,) or (N, d), stands for embeddings that exist
    already. Embeddings are float32, of unit length. Inputs are never modified.

    on_error: "raise" raises an ImageError or TextError that names the first item that fails; "skip" returns
    (embeddings of the items that worked, list of Failure) instead. batch_size: items that go through the engine at
    once. progress: called with (done, total) during the work.
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
        adaptation: LoadedAdaptation | None = None,
        pooler: Pooler | None = None,
    ) -> None:
        """Users call `load` instead. reload: makes this Clip again in another process; without it, pickling fails.

        pooler: pools the parts of a long text, for overlong="learned".
        """
        self._checkpoint, self._tokenizer, self._reload = checkpoint, tokenizer, reload
        self._adaptation, self._pooler = adaptation, pooler
        image = checkpoint.contract.image
        self._scaled_to = max(image.resized or image.size) if decode == "scaled" else None
        changes = adaptation.embedding_changes if adaptation else None
        self._runner = Runner(checkpoint.contract, engine, reproducible, changes=changes)
        self._featurizer = Featurizer(checkpoint, engine.name, self.device, reproducible)

    # Encoding

    @overload
    def encode_image(self, items: Any, *, on_error: Raise = ..., **options: Unpack[Batching]) -> Embeddings: ...
    @overload
    def encode_image(self, items: Any, *, on_error: Skip, **options: Unpack[Batching]) -> Encoded: ...
    def encode_image(
        self, items: Any, *, on_error: OnError = "raise", batch_size: int | None = None, progress: Progress = None
    ) -> Embeddings | Encoded:
        """Pictures -> unit embeddings: (d,) for one, (N, d) for a list; with on_error="skip" (embeddings, failures).

        Raises ImageError for a picture that cannot be used, ContraltoError for unusable arguments.
        """
        check_options(on_error, batch_size, progress)
        given = inputs.encoded_already(items, self.contract.embedding)
        if given is not None:
            return (given, []) if on_error == "skip" else given
        encoded = pictures.encode(items, self._runner, self._scaled_to, on_error, batch_size, progress)
        return encoded if on_error == "skip" else encoded[0]

    def stream_images(self, items: Iterable[Any], *, batch_size: int | None = None) -> EmbeddingStream:
        """Any number of pictures in bounded memory: yields (index, embedding (d,) or Failure) in their order.

        items may be a generator; it is read a few batches ahead. Closing the iterator ends its threads.
        """
        check_options(batch_size=batch_size)
        yield from pictures.stream(items, self._runner, self._scaled_to, batch_size)

    @overload
    def encode_text(self, texts: Any, *, on_error: Raise = ..., **options: Unpack[TextBatching]) -> Embeddings: ...
    @overload
    def encode_text(self, texts: Any, *, on_error: Skip, **options: Unpack[TextBatching]) -> Encoded: ...
    def encode_text(
        self,
        texts: Any,
        *,
        truncate: bool = False,
        overlong: str = "error",
        on_error: OnError = "raise",
        batch_size: int | None = None,
        progress: Progress = None,
    ) -> Embeddings | Encoded:
        """Texts -> unit embeddings: (d,) for one str, (N, d) for a list; with on_error="skip" (embeddings, failures).

        overlong: what becomes of a text that is longer than the context. "error"; "truncate": it loses its end, and a
        UserWarning names it; "sentences", "window", "compress": its embedding is made from those of its parts, as
        `contralto.encoder.overlong` says, and a UserWarning counts such texts; "learned", if the model has a pooler.
        truncate: the same as overlong="truncate".

        Raises TextError for an over-long text with "error", for a text that is not a str, and for invalid Unicode;
        ContraltoError for unusable arguments.
        """
        check_options(on_error, batch_size, progress)
        way = long_texts.way(overlong, truncate, self._pooler, self.contract.name)
        single, several = inputs.texts(texts)
        run = functools.partial(self._runner.texts, batch_size=batch_size, progress=progress)
        if way in long_texts.WHOLE:
            ids, failures = token_ids.tokenize(self._tokenizer, several, way == "truncate", on_error)
            encoded = run(ids)
        else:
            encoded, failures = long_texts.encode(self._tokenizer, run, several, way, on_error, self._pooler)
        encoded = encoded[0] if single and len(encoded) else encoded
        return (encoded, failures) if on_error == "skip" else encoded

    def encode_labels(self, labels: Labels, templates: Templates = "photo", *, overlong: str = "error") -> Embeddings:
        """Class names -> (L, d): for each, the mean of its templates' unit embeddings, scaled to unit length.

        labels: a list, or a dict label -> name or names whose embeddings are averaged. templates: the name of a set, a
        list of strings with `{}`, or None. overlong: as in `encode_text`, for prompts longer than the context. Results
        are cached on disk. Raises ContraltoError.
        """
        return classifier.build(self, labels, templates, overlong).embeddings

    @overload
    def cells(self, items: Any, *, how: str = ..., on_error: Raise = ...) -> Embeddings: ...
    @overload
    def cells(self, items: Any, *, how: str = ..., on_error: Skip) -> Encoded: ...
    def cells(self, items: Any, *, how: str = "auto", on_error: OnError = "raise") -> Embeddings | Encoded:
        """Pictures -> a unit row for each place that the tower sees: (h, w, d) for one, (N, h, w, d) for a list.

        `cells[i, j] @ text` is a cosine. how: the way that a last attention layer is read, see
        `contralto.encoder.finish.dense`: plain, maskclip, sclip, clearclip, naclip; auto is naclip with a class token.
        Other towers have plain alone. Raises ImageError; ContraltoError for unusable arguments.
        """
        check_options(on_error)
        read = pictures.cells(items, self.grids, how, self._runner, self._scaled_to, on_error)
        return read if on_error == "skip" else read[0]

    @functools.cached_property
    def grids(self) -> Grids:
        """The picture tower up to its grid, and what lies behind it: for explanations."""
        changes = self._adaptation.embedding_changes if self._adaptation else {}
        return Grids(self._checkpoint, self._runner.engine, changes.get("image"))

    # Comparing pictures with texts

    def similarity(self, images: Any, texts: Any) -> Embeddings:
        """Cosines (N, M) of N pictures and M texts. Either may be given as embeddings."""
        encoded = np.atleast_2d(self.encode_image(images))
        given = inputs.encoded_already(texts, self.contract.embedding)
        return embeddings.cosines(encoded, np.atleast_2d(self.encode_text(texts) if given is None else given))

    def score(self, images: Any, texts: Any) -> Embeddings:
        """Scores (N, M): softmax over the texts (rows sum to 1), or the sigmoid of each pair, as the contract says."""
        return embeddings.probabilities(self.similarity(images, texts), self.contract.score)

    def classify(
        self, items: Any, labels: Labels | None = None, *, templates: Templates = "photo", top: int = 5
    ) -> list[Prediction] | list[list[Prediction]]:
        """The `top` best labels, as (label, score), best first: a list for one picture, a list of lists for a list.

        Scores follow the contract's rule over all labels. labels and templates: as in `encode_labels`. Without labels,
        the adaptation's classifier answers with its classes, see `labels`. Raises ContraltoError without both.
        """
        arguments.whole(top, "top")
        require_embeddings(self.contract)
        if labels is None:
            return loaded_adaptation.classify(self, items, top, self._with_features)
        classify = classifier.build(self, labels, templates)
        images = self.encode_image(items)
        return classify(images, top) if images.ndim == 2 else classify(images[None], top)[0]

    def _with_features(self, items: Any) -> tuple[bool, Embeddings, Embeddings]:
        return pictures.encode_with_features(items, self._runner, self._featurizer.runner, self._scaled_to)

    # The steps of encoding

    def preprocess(self, items: Any) -> NDArray[np.float32]:
        """Pictures -> float32 (N, 3, H, W), the exact input of the image tower; N is 1 for one. Raises ImageError."""
        return pictures.preprocess(items, self.contract.image, self._scaled_to, self._runner.images_at_once)

    def encode_pixels(self, pixels: ArrayLike) -> Embeddings:
        """Finite float32 (N, 3, H, W) from `preprocess` -> unit embeddings (N, d). Raises ContraltoError."""
        return self._runner.pixels(pixels)

    def tokenize(self, texts: str | Iterable[str], truncate: bool = False) -> NDArray[np.int64]:
        """The published ids, int64 (N, context), padded as the contract says; N is 1 for one str. Raises TextError."""
        return token_ids.tokenize(self._tokenizer, inputs.texts(texts)[1], truncate, "raise")[0]

    def too_long(self, texts: str | Iterable[str]) -> list[int]:
        """Indices of the texts that are longer than the context, which `truncate` would cut. Raises TextError."""
        return token_ids.too_long(self._tokenizer, inputs.texts(texts)[1])

    @property
    def overlong_ways(self) -> tuple[str, ...]:
        """What `overlong` may be: "learned" only if the model has a pooler for long texts."""
        return long_texts.WAYS if self._pooler is None else (*long_texts.WAYS, long_texts.LEARNED)

    def unread(self, texts: str | Iterable[str]) -> list[UnreadText]:
        """The texts with words that the vocabulary lacks: `index`, these `words`, and `rest`, whether it has any other.

        Without any known word, the embedding means nothing: all such texts get the same one. Raises TextError.
        """
        return self._tokenizer.unread(inputs.texts(texts)[1])

    @overload
    def features(self, items: Any, *, on_error: Raise = ..., **options: Unpack[Batching]) -> Embeddings: ...
    @overload
    def features(self, items: Any, *, on_error: Skip, **options: Unpack[Batching]) -> Encoded: ...
    def features(
        self, items: Any, *, on_error: OnError = "raise", batch_size: int | None = None, progress: Progress = None
    ) -> Embeddings | Encoded:
        """Pictures -> the image tower's output before its projection, float32 (w,) or (N, w), not of unit length.

        The paper's linear probes read these (section 3.2). w is `feature_width`; the precision is fp32. A ResNet's are
        its embeddings before normalisation, because its attention pool contains the projection.
        """
        check_options(on_error, batch_size, progress)
        encoded = pictures.encode(items, self._featurizer.runner, self._scaled_to, on_error, batch_size, progress)
        return encoded if on_error == "skip" else encoded[0]

    def stream_features(self, items: Iterable[Any], *, batch_size: int | None = None) -> EmbeddingStream:
        """Like `stream_images`, with the `features` of each picture."""
        check_options(batch_size=batch_size)
        yield from pictures.stream(items, self._featurizer.runner, self._scaled_to, batch_size)

    @property
    def feature_width(self) -> int:
        """How many numbers the `features` of a picture have."""
        return self._featurizer.width

    # The engine

    @property
    def engine(self) -> str:
        """Name of the engine in use, which "auto" may have chosen."""
        return self._runner.engine.name

    @property
    def precision(self) -> str:
        """The engine's current precision. auto is fp32 until the work is large; see `engine_report`."""
        return self._runner.engine.precision

    @property
    def device(self) -> str:
        """The engine's device: "cpu", "cuda:0" ..."""
        return getattr(self._runner.engine, "device", "cpu")

    @property
    def reproducible(self) -> bool:
        """Whether the bits of an embedding are independent of the other items in a call."""
        return self._runner.reproducible

    @property
    def decode(self) -> Literal["exact", "scaled"]:
        """Either "exact": every pixel, as in the reference; or "scaled": large JPEGs are decoded at a smaller size."""
        return "exact" if self._scaled_to is None else "scaled"

    def precision_of(self, tower: TowerName) -> str:
        """The current precision of one tower: one word, where `precision` may name both towers."""
        return precision_of(self._runner.engine, tower)

    def made_in(self, tower: TowerName) -> str:
        """The precision part of a cache key for a tower's embeddings; see `contralto.engine.choose.made_in`."""
        return made_in(self._runner.engine, tower)

    def expect(self, *, pictures: int = 0, texts: int = 0) -> None:
        """Announces how many items several calls will bring, so that auto decides before the first call."""
        if arguments.whole(pictures, "pictures", 0):
            self._runner.engine.engine_for("image", pictures)
        if arguments.whole(texts, "texts", 0):
            self._runner.engine.engine_for("text", texts)

    def engine_report(self, *, measure: bool = True) -> EngineReport:
        """The engine, the precision for large amounts of work, the reason, and the measurements of each precision.

        measure: a model without cached measurements is measured now, and auto uses the result from here on.
        """
        return report(self._runner.engine, measure=arguments.flag(measure, "measure"))

    def calibrate(self, pictures: Any = None, texts: Any = None) -> EngineReport:
        """Calibrates int8 and measures each precision on your own pictures and texts, at least 16 of each.

        The result is cached for this model on this machine. Raises ContraltoError for fewer items, and if engine and
        precision were set explicitly; ImageError, TextError.
        """
        if pictures is not None:
            require_embeddings(self.contract)
        pixels = None if pictures is None else self.preprocess(pictures)
        ids = None if texts is None else self.tokenize(texts, truncate=True)
        return recalibrate(self._runner.engine, UserSamples(DrawnSamples(self.contract, self._tokenizer), pixels, ids))

    def fit(self, pictures: Any = None, texts: Any = None) -> EngineReport:
        """Deprecated name of `calibrate`."""
        warnings.warn("Clip.fit is now called Clip.calibrate", DeprecationWarning, stacklevel=2)
        return self.calibrate(pictures, texts)

    # The model itself

    @property
    def contract(self) -> Contract:
        """Everything that turns these weights into a model, frozen."""
        return self._checkpoint.contract

    @property
    def checkpoint(self) -> Checkpoint:
        """The weights: a mapping from names to float32 arrays; `.raw(name)` gives a tensor as it is stored."""
        return self._checkpoint

    @property
    def adaptation(self) -> LoadedAdaptation | None:
        """What was loaded on top of a base model: its description, mix and classifier; None for a plain model."""
        return self._adaptation

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The classes that the model was adapted to; None for a plain model, and after captions."""
        return self._adaptation.description.labels if self._adaptation else None

    @property
    def base(self) -> Clip | None:
        """The model without its adaptation, with the same weights in memory; None for a plain model."""
        return self._adaptation.base(self._runner.engine) if self._adaptation else None

    def save(self, folder: str | os.PathLike[str], layout: str = "native") -> None:
        """Writes the model to a folder that `contralto.load` reads, with the weights bit for bit as stored.

        layout: "native", "open_clip" or "transformers"; changed weights are written merged. "peft": the change alone,
        of `lora`. Raises WeightsError if the folder cannot be written, or if the layout does not support the
        architecture or the adaptation.
        """
        arguments.word(layout, "layout")
        saving.save(self._checkpoint, arguments.path(folder, "folder"), layout, self._adaptation)

    def torch(self) -> CLIP:
        """A new, trainable PyTorch model with these weights, float32, in eval mode. MissingExtraError without torch."""
        return torch_model.module(self._checkpoint)

    def __repr__(self) -> str:
        return f"<Clip {self.contract.name}: width {self.contract.embedding}, {self.engine}, {self.precision}>"

    def __reduce__(self) -> tuple[Callable[[], Clip], tuple[()]]:
        """Another process loads the same source again; the pickle holds no weights."""
        if self._reload is None:
            raise TypeError("this Clip was not made by contralto.load, so it cannot be pickled")
        return self._reload, ()
