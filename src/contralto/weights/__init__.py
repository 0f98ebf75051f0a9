"""From files to named arrays. Arrays are NumPy views of memory-mapped files, and no byte of a file is ever executed.

Read `names/` (which tensors a contract asks for), `checkpoint.py` (a contract and its weights, whatever they come
from), `tensorfile.py` (the safetensors container, read within limits), then `native.py` (a folder of
model.safetensors and contralto.json: read, write). `layouts/` states how others name and shape the same tensors.
"""
