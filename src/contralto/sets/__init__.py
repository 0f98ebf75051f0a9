"""Sets to be measured on. Read `items.py` (an item, a set), then `open.py`, by which a set is opened: by its name
(`declaration.py`), or from one's own files (`found.py`, then one reader: `folders.py`, `tars.py`).
`classes_file.py` puts other class names in the place of a set's. No reader looks at a picture.
"""
