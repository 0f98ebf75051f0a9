"""From weight files to named arrays. Arrays are NumPy views of memory-mapped files; no byte of a file is executed.

Read `names/` (the tensors that a contract needs), `checkpoint.py` (a contract and its weights, from any source), then
`native.py` (reads and writes a folder of model.safetensors and contralto.json).

Foreign files: `from_path.py` finds out which layout a path holds. `container.py` (with `tensorfile.py`, `pytorch.py`,
`archive.py` and `unpickle.py`) gives the arrays of a file. `layouts/` states how other libraries name and shape the
same tensors. `openai.py`, `open_clip/` and `transformers/` build contracts from foreign files; the last two also write
them, with the help of `config_section.py` and `tokenizer_files.py`. `choices.py` is what the user states where a file
leaves something open. `positions.py` resizes learned positions. Published models: `registry.py`, `hub.py`,
`fingerprint.py`, `from_name.py`.
"""
