"""Pairs for training. Read `source.py` (a sample, and what every reader is), one reader (`captions.py`, `parquet.py`,
`webdataset.py`, `classes.py`; `scenes.py` draws its pictures), then `mixture.py` (which sample when), `augment.py` and
`loader.py` (samples -> arrays, on threads). What readers share, also with those of `sets/`: `tables.py` (rows and
columns), `class_tree.py` (class folders), `tar.py`, `shards.py` (patterns), `splits.py` (names) and `left_out.py` (what
is not taken, and why). NumPy and Pillow, no torch.
"""
