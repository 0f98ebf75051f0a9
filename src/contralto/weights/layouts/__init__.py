"""How other libraries name and shape the same tensors. Read `conversion.py` (a layout as data, read and written), then
`open_clip.py` (with `timm.py` and `fastvit.py` for the image towers that timm builds) and `transformers.py`.
"""
