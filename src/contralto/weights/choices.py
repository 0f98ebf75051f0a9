"""The user's choices for facts that a file does not state, and the errors for open and contradicted choices.

Nothing is guessed. If neither the file nor the user states a value, loading stops and the error lists the choices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from contralto import arguments
from contralto.errors import ContraltoError, one_line

PUBLISHED_ACTIVATIONS = ("gelu", "quickgelu")
QUICKGELU_SUFFIX = "-quickgelu"  # of open_clip's name for an architecture with this activation


@dataclass(frozen=True)
class Choices:
    """architecture: the name of a preset, or open_clip's NAME-quickgelu. activation: gelu or quickgelu.

    image_size: side in pixels to which learned positions are resized; None keeps them.
    """

    architecture: str | None = None
    activation: str | None = None
    image_size: int | None = None

    def __post_init__(self) -> None:
        if self.architecture is not None:
            arguments.word(self.architecture, "architecture")
        if self.activation is not None:
            arguments.one_of(self.activation, "activation", PUBLISHED_ACTIVATIONS)
        if self.image_size is not None:
            arguments.whole(self.image_size, "image_size")

    def given(self) -> dict[str, str | int]:
        """Name -> value of each choice that was made."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}

    def agree(self, where: object, **stated: str) -> None:
        """Raises ContraltoError if a choice contradicts the file; the message names both values."""
        for name, value in self.given().items():
            if name in stated and stated[name] != value:
                given = f"{name}={value!r} was given: leave it out, or name another file"
                raise ContraltoError(f"{one_line(str(where))} states {name} {stated[name]!r}, but {given}")


NO_CHOICES = Choices()


def missing_choice_error(where: object, points: Mapping[str, Sequence[str]]) -> ContraltoError:
    """The error for open points of a file. points: name of the choice -> its allowed values; () for any name."""
    requests = []
    for name, values in points.items():
        quoted = " or ".join(repr(value) for value in values) or "NAME"
        requests.append(f"{name}={quoted} (--{name} {'|'.join(values) or 'NAME'})")
    what = " and ".join(f"the {name}" for name in points)
    return ContraltoError(f"{one_line(str(where))} leaves open: {what}. Give {' and '.join(requests)}")
