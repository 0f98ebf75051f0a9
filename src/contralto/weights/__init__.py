"""From weight files to named arrays. Arrays are NumPy views of memory-mapped files; no byte of a file is executed.

Read `names/` (the tensors that a contract needs), `checkpoint.py` (a contract and its weights, from any source), then
`native.py` (reads and writes a folder of model.safetensors and contralto.json).

Foreign files: `from_path.py` finds out which layout a path holds. `container.py` (with `tensorfile.py`, `pytorch.py`,
`archive.py` and `unpickle.py`) gives the arrays of a file. `layouts/` states how other libraries name and shape the
same tensors. `openai.py`, `open_clip/` and `transformers/` build contracts from foreign files; the last two also write
them, with the help of `config_section.py` and `tokenizer_files.py`. `choices.py` is what the user states where a file
leaves something open. `positions.py` resizes learned positions of pictures, `stretch.py` stretches those of texts.
Published models: `registry.py`, `hub.py`, `fingerprint.py`, `from_name.py`.

What is stored on top of a model: `adaptation.py` (with `adaptation_tensors.py`, and `averaging.py` for a mean), and
PEFT's folders in `peft.py` (with `module_pattern.py`) and `peft_writing.py`. `training_pictures.py`: what it has seen.
"""
