"""Sets to be measured on. Read `items.py` (an item, a set), then `open.py`, by which a set is opened: by its name
(`declaration.py`, `registry/` and the readers in `layouts/`; `drawn/` draws its own; `suites.py`, `listing.py`), or
from one's own files. For these, read `found.py` (splits, checks; `measurable_items.py`: which items can be measured) and one
reader: `folders.py`; `tars.py`; `tables.py`, `huggingface.py` with `features.py` and `rows.py` (`columns.py` serves
both); `choices.py`. How files are read that training reads too stands in `data/`. `classes_file.py` puts other
class names in the place of a set's, `variants/` changes the pictures or asks otherwise. No reader looks at a picture.
"""
