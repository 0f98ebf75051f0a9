"""The readable model: every tower in PyTorch, forward passes in the order of computing.

Read `blocks.py` (attention, MLP, norms), `initialise.py` and `heads.py`, then one tower (`vit.py`, `text.py`,
`resnet.py`, `efficientnet.py`, `fastvit.py`, `eva.py`, `convnext.py`), then `clip.py`, which joins two of them.
Every tower initialises itself. Configurations are data (contralto.architecture). The names of the parameters are the
names in `model.safetensors`.
"""
