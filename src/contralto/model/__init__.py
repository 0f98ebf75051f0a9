"""The readable reference: every tower written out in PyTorch, forward passes in the order of computing.

Read `blocks.py` (attention, MLP, norms, heads), one tower (`vit.py`, `text.py`, `resnet.py`, or another of the
picture towers), then `clip.py`, which joins two of them, and `initialise.py`, which gives them their first weights.
Configurations are data (contralto.architecture); the names of the parameters are the names in `model.safetensors`.
"""
