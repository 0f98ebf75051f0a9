"""What a CLIP is tuned on: pictures with a class each, or pictures with captions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contralto import arrays
from contralto.data.sample import Source
from contralto.embeddings import Embeddings
from contralto.errors import DataError, one_line
from contralto.zeroshot import prompts


class Described(NamedTuple):
    """A sample without its picture."""

    key: str
    label: int | None
    captions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Examples:
    """A source and, for classes, the texts that describe them.

    source: its samples' labels are indices of `classes`; without classes, their captions count. classes: the names of
    each class. templates: texts with `{}` for the name. rows: unit embeddings (N, d) of the source's pictures in its
    order; a tuning that leaves the image tower alone reads them instead of the pictures. Raises DataError.
    """

    source: Source
    classes: tuple[tuple[str, ...], ...] = ()
    templates: tuple[str, ...] = prompts.PLAIN
    rows: Embeddings | None = None

    def __post_init__(self) -> None:
        if not len(self.source):
            raise DataError(f"{self.source.name} holds no picture to tune on")
        prompts.templates(self.templates)
        if any(not names for names in self.classes):
            raise DataError(f"{self.source.name}: class {self.classes.index(())} has no name")
        if len(self.classes) == 1:
            raise DataError(f"{self.source.name} has one class: tuning needs at least two")
        if self.rows is not None:
            shape = arrays.finite_numbers(self.rows, "rows", 2).shape
            if shape[0] != len(self.source):
                raise DataError(f"rows must hold one embedding a picture, got {shape[0]} for {len(self.source)}")
        for sample in self.samples:
            if sample.label is None if self.classes else not sample.captions:
                lacks = "class" if self.classes else "caption"
                raise DataError(f"{self.source.name}: {one_line(sample.key, 200)} has no {lacks}")
        if self.classes:
            arrays.classes(self.labels, f"{self.source.name}: label", len(self.classes))

    @cached_property
    def samples(self) -> list[Described]:
        """All samples without their pictures."""
        samples = (self.source[index] for index in range(len(self.source)))
        return [Described(sample.key, sample.label, sample.captions) for sample in samples]

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class of each sample; only where there are classes."""
        return np.array([sample.label for sample in self.samples])

    def prompt(self, label: int, random: np.random.Generator, template: str) -> str:
        """The template with one of the class's names."""
        names = self.classes[label]
        return prompts.fill([template], names[int(random.integers(len(names)))])[0]

    def template(self, random: np.random.Generator) -> str:
        """One of the templates."""
        return self.templates[int(random.integers(len(self.templates)))]

    def caption(self, index: int, random: np.random.Generator) -> str:
        """One of the sample's captions."""
        captions = self.samples[index].captions
        return captions[int(random.integers(len(captions)))]

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of keys, labels, captions, classes and templates: other examples have another digest."""
        whole = json.dumps([self.samples, self.classes, self.templates])
        return hashlib.sha256(whole.encode()).hexdigest()
