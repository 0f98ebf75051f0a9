"""The pickle reader: against Python's own on plain data, and against malicious pickles."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import struct
import subprocess
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contralto.errors import WeightsError
from contralto.weights.unpickle import MAX_INSTRUCTIONS, Constructor, IgnoredObject, PickleFault, ScriptModule, unpickle

MARK, TUPLE, STOP, PROTOCOL = b"(", b"t", b".", b"\x80\x02"


def names(path: str) -> Any:
    known = {
        "known.call": Constructor(lambda *given: ["made of", *given]),
        "known.value": 7,
        "known.module": Constructor(module),
    }
    if path not in known:
        raise PickleFault(f"is refused: {path}")
    return known[path]


def module() -> ScriptModule:
    return ScriptModule({})


def persistent(given: Any) -> Any:
    return ("stored", given)


def read(data: bytes) -> Any:
    value, end = unpickle(memoryview(data), 0, "x.pt", names, persistent)
    assert end == len(data)
    return value


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.binary(max_size=20)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.tuples(inner, inner) | st.tuples(*[inner] * 4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(value=plain, protocol=st.integers(3, 5))
@settings(max_examples=300, deadline=None)
def test_plain_data_are_as_python_reads_them(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value
    assert read(pickletools.optimize(pickle.dumps(value, protocol))) == value


def test_protocol_2_which_torch_uses() -> None:
    value = {"a": [1, 2.5, -300, 70_000, 2**40, True, False, None], "b": ("x", ()), "c": {}, "ü": "\n" * 300}
    assert read(pickle.dumps(value, 2)) == value


def test_one_pickle_follows_another() -> None:
    data = pickle.dumps(1, 2) + pickle.dumps("two", 2)
    assert unpickle(memoryview(data), len(pickle.dumps(1, 2)), "x.pt", names, persistent) == ("two", len(data))


def test_keys_become_strings() -> None:
    assert read(pickle.dumps({1: "a", None: "b", 2.5: "c"}, 2)) == {"1": "a", "None": "b", "2.5": "c"}


def test_shared_and_circular_values_keep_their_identity() -> None:
    row: list[Any] = [1]
    row.append(row)
    value = read(pickle.dumps([row, row], 2))
    assert value[0] is value[1]
    assert value[0][1] is value[0]


def test_names_and_persistent_ids_are_what_the_caller_says() -> None:
    assert read(PROTOCOL + b"cknown\nvalue\n.") == 7
    assert read(PROTOCOL + b"cknown\ncall\nK\x01K\x02\x86R.") == ["made of", 1, 2]
    assert read(b"\x80\x04\x8c\x05known\x8c\x04call\x93)R.") == ["made of"]
    assert read(PROTOCOL + b"cknown\ncall\nK\x01\x85\x81.") == ["made of", 1]
    assert read(PROTOCOL + b"K\x05Q.") == ("stored", 5)


def test_the_state_of_a_module_is_kept_and_that_of_anything_else_is_not() -> None:
    state = b"}X\x01\x00\x00\x00aK\x01sb."
    assert read(PROTOCOL + b"cknown\nmodule\n)\x81" + state) == ScriptModule({"a": 1})
    assert read(PROTOCOL + b"}" + state) == {}
    with pytest.raises(WeightsError, match="quantised"):
        read(PROTOCOL + b"cknown\nmodule\n)\x81K\x01b.")


def test_a_set_is_inert() -> None:
    assert isinstance(read(pickle.dumps({1, 2}, 4)), IgnoredObject)


class Harm:
    """An object whose pickle would create a file, in several ways."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    harms = [
        Harm(os.system, f"touch {marker}"),
        Harm(eval, f"open({str(marker)!r}, 'w')"),
        Harm(exec, f"open({str(marker)!r}, 'w')"),
        Harm(subprocess.Popen, ["touch", str(marker)]),
        Harm(io.open, str(marker), "w"),
        Harm(__import__, "antigravity"),
        Harm(getattr, str, "format"),
    ]
    for harm in harms:
        for protocol in range(2, 6):
            data = pickle.dumps({"state_dict": [harm]}, protocol)
            with pytest.raises(WeightsError, match="refused: ") as caught:
                read(data)
            assert "\n" not in str(caught.value)
    assert not marker.exists()
    pickle.loads(pickle.dumps(harms[0]))
    assert marker.exists(), "the pickles would have done it"


def test_a_name_is_refused_where_it_stands_though_it_is_never_called() -> None:
    with pytest.raises(WeightsError, match=r"x\.pt is refused: os\.system"):
        read(PROTOCOL + b"cos\nsystem\n0N.")


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


BROKEN = {
    "nothing": (b"", "cut off"),
    "no end": (PROTOCOL + b"N", "cut off"),
    "two values": (PROTOCOL + b"NN.", "not in order"),
    "no value": (PROTOCOL + STOP, "not in order"),
    "a text of 4 GiB": (PROTOCOL + b"X\xff\xff\xff\xff.", "cut off"),
    "a text of 2^63 bytes": (b"\x80\x04\x8d" + b"\xff" * 8 + STOP, "cut off"),
    "bytes of 4 GiB": (b"\x80\x03B\xff\xff\xff\xff.", "cut off"),
    "a text that is not UTF-8": (PROTOCOL + b"X\x01\x00\x00\x00\xff.", "not in order"),
    "a number cut off": (PROTOCOL + b"J\x00", "cut off"),
    "a tuple of what is not there": (PROTOCOL + b"N\x86.", "takes more"),
    "no mark": (PROTOCOL + b"Nt.", "not in order"),
    "a mark left": (PROTOCOL + b"N(.", "not in order"),
    "an unknown memo": (PROTOCOL + b"h\x07.", "not in order"),
    "a memo too far": (PROTOCOL + b"Nr\xff\xff\xff\xff.", "remembers more"),
    "a key twice": (PROTOCOL + b"}(" + text("a") + b"N" + text("a") + b"Nu.", "'a' occurs twice"),
    "a key without value": (PROTOCOL + b"}(" + text("a") + b"u.", "not in order"),
    "a tuple as key": (PROTOCOL + b"}()Nu.", "key of type tuple"),
    "items of a list": (PROTOCOL + b"](NNu.", "no dict"),
    "appended to a dict": (PROTOCOL + b"}Na.", "no list"),
    "a call of a text": (PROTOCOL + text("a") + b")R.", "no function"),
    "a call of a value": (PROTOCOL + b"cknown\nvalue\n)R.", "no function"),
    "arguments that are a list": (PROTOCOL + b"cknown\ncall\n]R.", "no function"),
    "arguments too many": (PROTOCOL + b"cknown\nmodule\nN\x85R.", "not in order"),
    "a name that is a number": (b"\x80\x04K\x01K\x02\x93.", "no text"),
    "a name without end": (PROTOCOL + b"cos", "refused"),
    "an extension": (PROTOCOL + b"\x82\x01.", "0x82"),
    "an instance of old": (PROTOCOL + b"(cos\nsystem\no.", "refused"),
    "an old instance by name": (b"(ios\nsystem\n.", "0x69"),
    "a buffer from outside": (b"\x80\x05\x97.", "0x97"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_pickle_is_refused_in_one_line(case: str) -> None:
    data, reason = BROKEN[case]
    with pytest.raises(WeightsError, match=reason) as caught:
        read(data)
    assert str(caught.value).startswith("x.pt ")
    assert "\n" not in str(caught.value)


def bombs() -> dict[str, bytes]:
    doubled = PROTOCOL + b"]" + b"q\x00h\x00\x86" * 100_000 + STOP
    deep = PROTOCOL + b"]" * 100_000 + b"a" * 99_999 + STOP
    marks = PROTOCOL + b"(" * 200_000 + b"t" * 200_000 + STOP
    colliding = b"".join(b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N" for i in range(30_000))
    return {
        "a tuple doubled 100,000 times": doubled,
        "lists 100,000 deep": deep,
        "tuples 200,000 deep": marks,
        "keys of one hash": PROTOCOL + b"}(" + colliding + b"u.",
        "instructions without end": PROTOCOL + b"N0" * MAX_INSTRUCTIONS + b"N.",
        "empty dicts": PROTOCOL + b"}" * 400_000 + STOP,
        "calls that copy": PROTOCOL + b"cknown\ncall\nq\x00" + b"h\x00)R0" * 100_000 + b"N.",
    }


@pytest.mark.parametrize("bomb", bombs())
def test_time_and_memory_are_bounded(bomb: str) -> None:
    data = bombs()[bomb]
    begin = time.perf_counter()
    with contextlib.suppress(WeightsError):
        read(data)
    assert time.perf_counter() - begin < 20  # a second or two on an idle machine


def test_memory_is_bounded_by_the_size_of_the_pickle() -> None:
    data = PROTOCOL + b"}" * 100_000 + STOP
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError):
            read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(data)
