"""Runs one contender in its own process, controlled over standard input. contest.py starts it.

    python benchmarks/worker.py MODULE OPTIONS_AS_JSON

Each input line is {"call": method, "arguments": {...}, "min_seconds": seconds, "out": path}; each output line is the
result. Arrays are passed as .npy files, read before and written after the timed part. Imports only the standard library
and NumPy.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from typing import Any

import numpy as np


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # prints of a library must not mix with the replies

    def reply(**what: Any) -> None:
        print(json.dumps(what), file=replies, flush=True)

    module, options = sys.argv[1:]
    try:
        contender = importlib.import_module(f"contenders.{module}").make(**json.loads(options))
    except Exception as error:
        reply(error=error_line(error))
        return
    reply(about=contender.about)
    for line in sys.stdin:
        reply(**answer(contender, json.loads(line)))


def answer(contender: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Calls the method at least once, and repeats it until `least` seconds have passed."""
    arguments = {name: np.load(value["npy"]) if isinstance(value, dict) and "npy" in value else value
                 for name, value in request["arguments"].items()}  # fmt: skip
    seconds: list[float] = []
    gc.collect()
    try:
        work = getattr(contender, request["call"])
        while not seconds or sum(seconds) < request["min_seconds"]:
            begin = time.perf_counter()
            value = work(**arguments)
            seconds.append(time.perf_counter() - begin)
    except Exception as error:
        return {"error": error_line(error)}
    if isinstance(value, np.ndarray):
        np.save(request["out"], value)
        value = {"npy": request["out"]}
    return {"seconds": seconds, "value": value}


def error_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    kind = "" if type(error).__name__ == "ContraltoError" else f"{type(error).__name__}: "
    return kind + (lines[0] if lines else "no message")[:200]


if __name__ == "__main__":
    main()
