"""The towers as ONNX graphs, written from a contract and the header of its weight file: no torch, no weights copied.

Read `layers.py` (stored tensors, linear layers, norms, attention), then `vit.py`, `text.py` and the other towers, each
the mirror of the same file in contralto.model, then `whole_tower.py`, which assembles complete models.
"""
