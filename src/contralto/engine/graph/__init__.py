"""The towers as ONNX graphs, written from a contract and the header of its weight file: no torch, no weights copied.

Read `layers.py` (stored tensors, linear maps, norms, attention), then `vit.py`, `text.py` and the other towers, each
the mirror of its namesake in contralto.model, then `files.py`, which makes whole models of them.
"""
