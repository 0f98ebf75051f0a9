"""Clip: a contract and an engine behind one face; what goes in is named by `items.py`.

Read `clip.py` (the face), then `items.py`, `readable.py` (open files, and what is no picture), `stream.py` (pictures in
threads, in bounded memory), `keeping.py` (what caches of rows are keyed by),
`source.py` (from a name or path to a Clip), `native.py` and `layouts.py` (and back), and `golden.py` and `doctor.py`
(proof that a model gives what it should).
"""

from contralto.encoder.clip import Clip
from contralto.encoder.items import Failure
from contralto.encoder.native import create, save
from contralto.encoder.source import load

__all__ = ["Clip", "Failure", "create", "load", "save"]
