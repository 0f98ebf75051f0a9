"""From files to named arrays. Arrays are NumPy views of memory-mapped files, and no byte of a file is ever executed.

Read `names.py` (which tensors a contract asks for), `tensorfile.py` (the safetensors container, read within limits),
then `native.py` (a folder of model.safetensors and contralto.json: read, write, verify).
"""
