"""From files to named arrays. Arrays are NumPy views of memory-mapped files, and no byte of a file is ever executed.

Read `names/` (which tensors a contract asks for), `checkpoint.py` (a contract and its weights, whatever they come
from), then `native.py` (a folder of model.safetensors and contralto.json: read, write).

Foreign files: `source.py` finds out what a path is; `container.py` (with `tensorfile.py`, `pytorch.py`, `archive.py`
and `unpickle.py`) gives the arrays of a file; `layouts/` states how others name and shape the same tensors;
`openai.py`, `open_clip/` and `transformers/` make contracts of what lies there, and write the last two. `choices.py`
is what the user states where a file does not. Published models: `registry.py`, `hub.py`, `published.py`.
"""
