"""The readable reference: every tower written out in PyTorch, forward passes in the order of computing.

Read `blocks.py` (attention, MLP, norms, heads), one tower (`vit.py`, `resnet.py`, `efficientnet.py`, `text.py`), then
`clip.py`, which joins two of them, and `initialise.py`, which gives them their first weights. Configurations are data
(contralto.architecture); the names of the parameters are the names in `model.safetensors`.
"""
