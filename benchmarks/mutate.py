"""Format-aware damage: each function takes a good file and a random.Random, and returns a damaged or odd file.

Plain bit flips rarely pass the first check of a reader. So these functions damage a header as JSON and correct its
length, a pickle instruction by instruction, and a zip entry by entry.
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
    """Flips bits; deletes, repeats, replaces or inserts bytes; truncates; or overwrites a number."""
    damaged = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        if not damaged:
            break
        begin = random.randrange(len(damaged))
        end = min(len(damaged), begin + random.choice((1, 2, 4, 8, 30, 200)))
        match random.randrange(8):
            case 0 | 1:
                damaged[begin] ^= 1 << random.randrange(8)
            case 2:
                damaged[begin] = random.randrange(256)
            case 3:
                del damaged[begin:end]
            case 4:
                damaged[begin:begin] = damaged[begin:end]
            case 5:
                damaged[begin:end] = random.randbytes(end - begin)
            case 6:
                del damaged[begin:]
            case 7:
                size = random.choice((2, 4, 8))
                number = random.choice((*NUMBERS, len(data), len(data) - 1)) % 2 ** (8 * size)
                damaged[begin : begin + size] = number.to_bytes(size, "little")
    return bytes(damaged)


def json_text(data: bytes, random: Random) -> bytes:
    """Replaces values; deletes, renames or repeats keys; swaps objects or nests them deeply."""
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
                holder[key], other[other_key] = there, here  # copies, so that no object contains itself
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
    holders, waiting = [], [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            holders.append(one)
            waiting += one.values() if isinstance(one, dict) else one
    return holders


def _keys(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def safetensors(data: bytes, random: Random) -> bytes:
    """Damages the header as JSON, and usually corrects its length."""
    length = int.from_bytes(data[:8], "little")
    text = json_text(data[8 : 8 + length], random)
    claimed = len(text) if random.random() < 0.95 else random.choice(NUMBERS)
    body = data[8 + length :]
    return claimed.to_bytes(8, "little") + text + (body if random.random() < 0.8 else anything(body, random))


def pickled(data: bytes, random: Random) -> bytes:
    """Deletes, repeats, swaps or inserts instructions, or replaces numbers. Data after the first pickle stays."""
    try:
        places = [place for _, _, place in pickletools.genops(data) if place is not None]
    except Exception:  # pickletools fails on a pickle that is already damaged
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
    """Damages the pickle; renames, compresses, damages or deletes an entry; or overwrites a record."""
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
    """Writes a number into one of the records of the zip."""
    damaged = bytearray(data)
    marker = random.choice((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"))
    places = [i for i in range(len(data)) if data.startswith(marker, i)]
    if places:
        form = random.choice("HIQ")
        number = random.choice(NUMBERS) % 2 ** (8 * struct.calcsize("<" + form))
        place = random.choice(places) + random.randrange(4, 46)
        if place + struct.calcsize("<" + form) <= len(damaged):
            struct.pack_into("<" + form, damaged, place, number)
    return bytes(damaged)


def legacy(data: bytes, random: Random) -> bytes:
    """Damages one of its five pickles, usually the one with the value, or the data after them."""
    places = [0]
    for _ in range(5):
        stop = max(place for _, _, place in pickletools.genops(data[places[-1] :]) if place is not None)
        places.append(places[-1] + stop + 1)
    here = random.choice((0, 1, 2, 3, 3, 3, 3, 4, 5))
    if here == 5:
        return data[: places[5]] + anything(data[places[5] :], random)
    piece = pickled(data[places[here] : places[here + 1]], random)
    return data[: places[here]] + piece + data[places[here + 1] :]
