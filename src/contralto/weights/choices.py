"""What a user gives where a file leaves something open, and the errors that ask for it or find it contradicted.

Nothing is guessed: what neither the file nor the user states stops the loading, and the error names the choices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from contralto import arguments
from contralto.errors import ContraltoError, one_line

ACTIVATIONS = ("gelu", "quickgelu")


@dataclass(frozen=True)
class Choices:
    """architecture: the name of a preset, or open_clip's NAME-quickgelu. activation: gelu or quickgelu.

    image_size: pixels of a side to which learned positions are resized; None leaves them as they are.
    """

    architecture: str | None = None
    activation: str | None = None
    image_size: int | None = None

    def __post_init__(self) -> None:
        if self.architecture is not None:
            arguments.word(self.architecture, "architecture")
        if self.activation is not None:
            arguments.one_of(self.activation, "activation", ACTIVATIONS)
        if self.image_size is not None:
            arguments.whole(self.image_size, "image_size")

    def given(self) -> dict[str, str | int]:
        """Name -> value of what is not left out."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}

    def agree(self, where: object, **stated: str) -> None:
        """Raises ContraltoError for a choice that contradicts what the file states; it names both."""
        for name, value in self.given().items():
            if name in stated and stated[name] != value:
                told = f"{name}={value!r} was given: leave it out, or name another file"
                raise ContraltoError(f"{one_line(str(where))} states {name} {stated[name]!r}, but {told}")


NONE = Choices()


def left_open(where: object, points: Mapping[str, Sequence[str]]) -> ContraltoError:
    """The error that names what a file leaves open. points: name of a choice -> what may be given for it."""
    asked = []
    for name, values in points.items():
        quoted = " or ".join(repr(value) for value in values) or "NAME"
        asked.append(f"{name}={quoted} (--{name} {'|'.join(values) or 'NAME'})")
    what = " and ".join(f"the {name}" for name in points)
    return ContraltoError(f"{one_line(str(where))} leaves open: {what}. Give {' and '.join(asked)}")
