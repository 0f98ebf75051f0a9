"""The towers as ONNX graphs, written from a contract and the header of its weight file: no torch, no weights copied.

Read `layers.py` (stored tensors, linear maps, norms, attention), then `vit.py`, `resnet.py`, `efficientnet.py` and
`text.py`, each the mirror of its namesake in contralto.model, then `files.py`, which writes them beside the weights.
"""
