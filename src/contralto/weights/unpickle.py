"""Reads plain data from a pickle safely: nothing is imported, and nothing that the pickle names is called.

A pickle is a program for a small stack machine, and Python's machine calls whatever the program names. This machine has
only the instructions that build plain data. It resolves names through `names`, which knows a few and refuses the rest.
Time and memory are bounded: each instruction costs the same, and no value is copied, compared or printed whole, so a
value that contains itself, or the same value many thousand times, does no harm.
Instructions: the documentation of Python's pickletools, protocols 2 to 5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contralto.errors import WeightsError, one_line

MAX_INSTRUCTIONS = 1_000_000  # a training checkpoint of the largest CLIPs has 200 thousand
MAX_PICKLE_BYTES = 2**24


@dataclass(frozen=True)
class Constructor:
    """The stand-in for a callable in a pickle: `make` returns data and uses few of the arguments."""

    make: Callable[..., Any]


@dataclass
class ScriptModule:
    """A module of TorchScript: its attributes by name."""

    attributes: dict[str, Any]


class IgnoredObject:
    """The stand-in for an object without weights (a path, a device, a set, settings); its content is dropped."""


class PickleFault(Exception):
    """A fault of a pickle. `unpickle` puts the file's name before the message."""


def unpickle(
    data: memoryview,
    begin: int,
    where: str,
    names: Callable[[str], Any],
    persistent: Callable[[Any], Any],
) -> tuple[Any, int]:
    """(value, end offset) of the pickle at data[begin:].

    All kinds of dicts become dicts with strings as keys (a number becomes its digits). Lists, tuples, strings, bytes,
    numbers and None stay as they are. names: "module.name" -> a `Constructor` or a value. persistent: persistent id ->
    value. Both raise PickleFault. Raises WeightsError, one line that begins with `where`.
    """
    machine = _Machine(data[: begin + MAX_PICKLE_BYTES], begin, names, persistent)
    try:
        return machine.run(), machine.place
    except PickleFault as error:
        raise WeightsError(f"{where} {error}") from error
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        # A wrong stack, memo, number or text ends here; a valid pickle does not.
        raise WeightsError(f"{where} is cut off or damaged: its pickle is not in order at {machine.place}") from error


class _Machine:
    """The stack, the stacks below each mark, the memo, and a method for each instruction that needs one."""

    def __init__(
        self, data: memoryview, place: int, names: Callable[[str], Any], persistent: Callable[[Any], Any]
    ) -> None:
        self.data, self.place, self.names, self.persistent = data, place, names, persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_INSTRUCTIONS):
            code = self.take(1)[0]
            if code == STOP:
                (value,) = self.stack
                return value
            if code not in INSTRUCTIONS:
                raise PickleFault(
                    f"is damaged or refused: its pickle has the instruction {code:#04x}, which weights lack"
                )
            INSTRUCTIONS[code](self)
        raise PickleFault(f"is refused: its pickle has more than {MAX_INSTRUCTIONS:,} instructions")

    def take(self, count: int) -> memoryview:
        """The next bytes of the pickle."""
        if count > len(self.data) - self.place:
            raise PickleFault(f"is cut off, or its pickle has more than {MAX_PICKLE_BYTES:,} bytes")
        self.place += count
        return self.data[self.place - count : self.place]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, form: str) -> str:
        return str(self.take(self.number(form)), "utf-8")

    def line(self) -> str:
        """Text up to the end of a line, which must be short."""
        text = self.data[self.place : self.place + 512].tobytes().partition(b"\n")[0]
        self.place += len(text) + 1
        return text.decode()

    def marked(self) -> list[Any]:
        """Removes and returns the values pushed since the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def tuple(self, count: int) -> None:
        if count > len(self.stack):
            raise PickleFault("is damaged: its pickle takes more from the stack than there is")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def put(self, index: int) -> None:
        if index > MAX_INSTRUCTIONS:
            raise PickleFault("is damaged: its pickle remembers more than it has")
        self.memo[index] = self.stack[-1]

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is not IgnoredObject:
            raise PickleFault("is damaged: its pickle appends to what is no list")

    def update(self, items: list[Any]) -> None:
        """Sets key, value, key, value ... Keys become strings, since numbers can be chosen to collide in a dict."""
        target = self.stack[-1]
        if type(target) is IgnoredObject:
            return
        if type(target) is not dict:
            raise PickleFault("is damaged: its pickle sets items of what is no dict")
        for given, value in zip(items[::2], items[1::2], strict=True):
            if type(given) not in (str, int, float, bool, type(None)):
                raise PickleFault(f"is refused: its pickle has a dict with a key of type {type_name(given)}")
            key = given if type(given) is str else repr(given)
            if key in target:
                raise PickleFault(f"is refused: the key {one_line(key, 80)!r} occurs twice in its pickle")
            target[key] = value

    def name(self, module: str, name: str) -> None:
        self.stack.append(self.names(f"{module}.{name}"))

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Constructor or type(arguments) is not tuple:
            raise PickleFault("is damaged: its pickle calls what is no function")
        self.stack.append(function.make(*arguments))

    def build(self) -> None:
        """Sets the state of an object. Only a module keeps it, as its attributes."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is ScriptModule:
            if type(state) is not dict:
                raise PickleFault("is refused: its modules hold packed (quantised) weights")
            target.attributes = state


def type_name(value: object) -> str:
    """The type of an unpickled value, for error messages."""
    names = {IgnoredObject: "object", ScriptModule: "module"}
    return names.get(type(value), type(value).__name__.lower())


def _push(make: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    def instruction(machine: _Machine) -> None:
        value = make(machine)
        machine.stack.append(value)  # `make` may have replaced the stack

    return instruction


def _discard(_: object) -> None:
    """Drops a value taken from the pickle or the stack."""


def _integer(machine: _Machine) -> int:
    """An integer of up to 255 bytes, so it is quick to print."""
    return int.from_bytes(machine.take(machine.number("<B")), "little", signed=True)


def _set_one(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.update([key, value])


def _stack_name(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise PickleFault("is damaged: its pickle has a name that is no text")
    machine.name(module, name)


STOP = ord(".")

INSTRUCTIONS: dict[int, Callable[[_Machine], None]] = {
    0x80: lambda m: _discard(m.take(1)),  # protocol
    0x95: lambda m: _discard(m.take(8)),  # length of a frame
    ord("("): _Machine.mark,
    ord("0"): lambda m: _discard(m.stack.pop()),
    ord("1"): lambda m: _discard(m.marked()),
    ord("2"): _push(lambda m: m.stack[-1]),
    ord("N"): _push(lambda m: None),
    0x88: _push(lambda m: True),
    0x89: _push(lambda m: False),
    ord("J"): _push(lambda m: m.number("<i")),
    ord("K"): _push(lambda m: m.number("<B")),
    ord("M"): _push(lambda m: m.number("<H")),
    0x8A: _push(_integer),
    ord("G"): _push(lambda m: m.number(">d")),
    ord("X"): _push(lambda m: m.text("<I")),
    0x8C: _push(lambda m: m.text("<B")),
    0x8D: _push(lambda m: m.text("<Q")),
    ord("B"): _push(lambda m: m.take(m.number("<I")).tobytes()),
    ord("C"): _push(lambda m: m.take(m.number("<B")).tobytes()),
    0x8E: _push(lambda m: m.take(m.number("<Q")).tobytes()),
    ord(")"): _push(lambda m: ()),
    0x85: lambda m: m.tuple(1),
    0x86: lambda m: m.tuple(2),
    0x87: lambda m: m.tuple(3),
    ord("t"): _push(lambda m: tuple(m.marked())),
    ord("]"): _push(lambda m: []),
    ord("a"): lambda m: m.extend([m.stack.pop()]),
    ord("e"): lambda m: m.extend(m.marked()),
    ord("}"): _push(lambda m: {}),
    ord("s"): _set_one,
    ord("u"): lambda m: m.update(m.marked()),
    0x8F: _push(lambda m: IgnoredObject()),  # a set
    0x90: lambda m: m.extend(m.marked()),  # its members
    ord("q"): lambda m: m.put(m.number("<B")),
    ord("r"): lambda m: m.put(m.number("<I")),
    0x94: lambda m: m.put(len(m.memo)),
    ord("h"): _push(lambda m: m.memo[m.number("<B")]),
    ord("j"): _push(lambda m: m.memo[m.number("<I")]),
    ord("c"): lambda m: m.name(m.line(), m.line()),
    0x93: _stack_name,
    ord("R"): _Machine.call,
    0x81: _Machine.call,  # an object of a class, from arguments
    ord("b"): _Machine.build,
    ord("Q"): _push(lambda m: m.persistent(m.stack.pop())),
}
