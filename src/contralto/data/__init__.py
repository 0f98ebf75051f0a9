"""Pairs for training. Read `source.py` (a sample, and what every reader is), one reader (`captions.py`, `parquet.py`,
`webdataset.py`, `classes.py`; `tar.py` serves two of them; `scenes.py` draws its pictures), then `mixture.py` (which
sample when), `augment.py` and `loader.py` (samples -> arrays, on threads). NumPy and Pillow, no torch.
"""
