"""Training data: pictures with captions, read by index. Uses NumPy and Pillow, not torch.

Read `sample.py` (a sample, and the protocol of all readers), one reader (`captions.py`, `parquet.py`, `webdataset.py`,
`class_folders.py`; `scenes.py` draws its pictures), `mixture.py` (which samples form a batch), `augment.py` and
`loader.py` (samples -> arrays, on threads). The readers here and in `sets/` share `table_files.py` (CSV, JSON Lines),
`class_tree.py` (class folders), `tar.py`, `shards.py` (file patterns), `splits.py` (split names) and `omissions.py`
(samples and files that are not used, and why).
"""
