"""Damage that knows the format: each function takes a good file and a random.Random, and returns a bad or odd one.

Plain flips seldom pass a reader's first check. So a header is damaged as JSON and its length put right, a pickle
instruction by instruction, and a zip entry by entry.
"""

from __future__ import annotations

import copy
import io
import json
import pickletools
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

Mutator = Callable[[bytes, Random], bytes]

NUMBERS = (
    0, 1, 2, 7, 8, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**63 - 1, 2**64 - 1,
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 32, 33, 1.5, -0.0, 1e308, float("nan"), float("inf"), 2**20, 2**31, 2**53,
    2**62, 2**63, 2**64, 10**400, "", ".", "..", "../x", "/etc/passwd", "a\n\x1b[31mb", "\ud800", "x" * 5000, [], {},
    [[]], [0], [-1, 1], [0] * 33, [2**40] * 3, {"a": 1}, "F32", "F16", "BF16", "I8", "F8_E4M3", "vit", "gelu",
)  # fmt: skip
INSTRUCTIONS = (
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"cposix\nsystem\nX\x02\x00\x00\x00ls\x85R", b"\x8c\x02os\x8c\x06popen\x93",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n", b"ccollections\nOrderedDict\n", b"csys\nexit\n",
    b"cargparse\nNamespace\n", b"ctorch.jit._pickle\nrestore_type_tag\n", b"c__torch__\nX\n", b"(", b")", b"t", b"]",
    b"}", b"a", b"e", b"s", b"u", b"0", b"1", b"2", b"N", b"R", b"b", b"\x81", b"\x85", b"\x86", b"\x87", b"\x88", b"Q",
    b".", b"h\x00", b"h\x05", b"q\x00", b"q\x05", b"\x94", b"\x8f", b"\x90", b"\x91", b"\x92", b"\x82\x01", b"P1\n",
    b"i", b"o", b"K\x00", b"K\xff", b"M\xff\xff", b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\xff" * 7 + b"\x7f", b"]" * 300,
    b"\x8a\xff" + b"\x7f" * 255, b"X\xff\xff\xff\xff", b"X\x03\x00\x00\x00a.b", b"\x8d" + b"\xff" * 8, b"(" * 300,
    b"B\xff\xff\xff\x7f", b"r\xff\xff\xff\xff", b"\x80\x05", b"\x95" + b"\xff" * 8, b"G\x7f\xf8" + b"\0" * 6,
)  # fmt: skip


def anything(data: bytes, random: Random) -> bytes:
    """Bits flipped, bytes cut out, doubled, swapped, put in, the rest cut off, a number written over."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        if not found:
            break
        begin = random.randrange(len(found))
        end = min(len(found), begin + random.choice((1, 2, 4, 8, 30, 200)))
        match random.randrange(8):
            case 0 | 1:
                found[begin] ^= 1 << random.randrange(8)
            case 2:
                found[begin] = random.randrange(256)
            case 3:
                del found[begin:end]
            case 4:
                found[begin:begin] = found[begin:end]
            case 5:
                found[begin:end] = random.randbytes(end - begin)
            case 6:
                del found[begin:]
            case 7:
                size = random.choice((2, 4, 8))
                number = random.choice((*NUMBERS, len(data), len(data) - 1)) % 2 ** (8 * size)
                found[begin : begin + size] = number.to_bytes(size, "little")
    return bytes(found)


def json_text(data: bytes, random: Random) -> bytes:
    """A value replaced, a key deleted, renamed or doubled, an object swapped for another or nested deeply."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return anything(data, random)
    for _ in range(random.choice((1, 1, 2, 5))):
        nodes = [(holder, key) for holder in _holders(tree) for key in _keys(holder)]
        if not nodes:
            break
        holder, key = random.choice(nodes)
        other, other_key = random.choice(nodes)
        match random.randrange(7):
            case 0 | 1 | 2:
                holder[key] = copy.deepcopy(random.choice(ODD))
            case 3:
                del holder[key]
            case 4:
                here, there = (json.loads(json.dumps(value)) for value in (holder[key], other[other_key]))
                holder[key], other[other_key] = there, here  # copies: an object must not come to hold itself
            case 5 if isinstance(holder, dict):
                holder[str(random.choice(ODD))] = holder.pop(key)
            case 6 if type(holder[key]) is int:
                holder[key] += random.choice((-1, 1, 8, 2**20))
    text = json.dumps(tree).encode()
    match random.randrange(12):
        case 0:
            return text.replace(b"{", b"{" + text[1 : text.find(b",") + 1], 1)  # the first key twice
        case 1:
            return text.replace(b":", b":" + b"[" * random.choice((10, 2000, 100_000)), 1)
        case 2:
            return anything(text, random)
    return text


def _holders(tree: Any) -> list[Any]:
    found, waiting = [], [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            found.append(one)
            waiting += one.values() if isinstance(one, dict) else one
    return found


def _keys(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def safetensors(data: bytes, random: Random) -> bytes:
    """Its header as JSON, its length put right mostly."""
    length = int.from_bytes(data[:8], "little")
    text = json_text(data[8 : 8 + length], random)
    claimed = len(text) if random.random() < 0.95 else random.choice(NUMBERS)
    body = data[8 + length :]
    return claimed.to_bytes(8, "little") + text + (body if random.random() < 0.8 else anything(body, random))


def pickled(data: bytes, random: Random) -> bytes:
    """Instructions deleted, doubled, swapped, put in; numbers replaced. What follows the first pickle stays."""
    try:
        places = [place for _, _, place in pickletools.genops(data) if place is not None]
    except Exception:  # what pickletools makes of a pickle that is broken already
        return anything(data, random)
    end = places[-1] + 1
    pieces = [data[a:b] for a, b in zip(places, [*places[1:], end], strict=True)]
    for _ in range(random.choice((1, 1, 2, 3, 10))):
        here, there = random.randrange(len(pieces)), random.randrange(len(pieces))
        match random.randrange(7):
            case 0:
                pieces[here] = b""
            case 1:
                pieces.insert(here, pieces[there])
            case 2:
                pieces[here], pieces[there] = pieces[there], pieces[here]
            case 3 | 4:
                pieces.insert(here, random.choice(INSTRUCTIONS))
            case 5:
                pieces[here] = random.choice(INSTRUCTIONS)
            case 6:
                numbers = [i for i, piece in enumerate(pieces) if piece[:1] in (b"K", b"M", b"J")]
                if numbers:
                    pieces[random.choice(numbers)] = _integer(random.choice(NUMBERS))
    return b"".join(pieces) + data[end:]


def _integer(number: int) -> bytes:
    return b"\x8a\x09" + number.to_bytes(9, "little")


def zipped(data: bytes, random: Random) -> bytes:
    """Its pickle, or an entry renamed, compressed, cut, doubled or left out; records overwritten."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        entries = [(name, file.read(name), zipfile.ZIP_STORED) for name in file.namelist()]
    here = random.randrange(len(entries))
    name, content, _ = entries[here]
    match random.randrange(12):
        case 0 | 1 | 2 | 3 | 4 | 5:
            entries = [(n, pickled(c, random) if n.endswith("/data.pkl") else c, m) for n, c, m in entries]
        case 6:
            entries[here] = random.choice(("../x", "/x", f"{name}/", "archive", "a/b/c", name.upper())), content, 0
        case 7:
            entries[here] = name, content, zipfile.ZIP_DEFLATED
        case 8:
            entries[here] = name, anything(content, random), 0
        case 9:
            del entries[here]
        case 10:
            return _records(data, random)
        case 11:
            return anything(data, random)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content, method in entries:
            file.writestr(name, content, method)
    return buffer.getvalue() if random.random() < 0.9 else _records(buffer.getvalue(), random)


def _records(data: bytes, random: Random) -> bytes:
    """A number written into one of the zip's own records."""
    found = bytearray(data)
    marker = random.choice((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"))
    places = [i for i in range(len(data)) if data.startswith(marker, i)]
    if places:
        form = random.choice("HIQ")
        number = random.choice(NUMBERS) % 2 ** (8 * struct.calcsize("<" + form))
        place = random.choice(places) + random.randrange(4, 46)
        if place + struct.calcsize("<" + form) <= len(found):
            struct.pack_into("<" + form, found, place, number)
    return bytes(found)


def legacy(data: bytes, random: Random) -> bytes:
    """One of its five pickles, mostly that of the value; or what follows them."""
    places = [0]
    for _ in range(5):
        stop = max(place for _, _, place in pickletools.genops(data[places[-1] :]) if place is not None)
        places.append(places[-1] + stop + 1)
    here = random.choice((0, 1, 2, 3, 3, 3, 3, 4, 5))
    if here == 5:
        return data[: places[5]] + anything(data[places[5] :], random)
    piece = pickled(data[places[here] : places[here + 1]], random)
    return data[: places[here]] + piece + data[places[here + 1] :]
