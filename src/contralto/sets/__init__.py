"""Data sets for evaluation: opened by name or from user files, as items with pictures, labels and captions.

Read `data_set.py` (an item, a class, a data set), then `open.py`, which opens a data set by one of two ways:

- by name: `declaration.py` (with the JSON files in `registry/` and the readers in `layouts/`), or `drawn/` for data
  sets drawn by code. `suites.py` names groups of data sets, `listing.py` lists all names.
- from user files: `user_set.py` (splits and checks), `item_filter.py` (items that can be evaluated), and one reader:
  `folders.py`; `tars.py`; `picture_tables.py`; `huggingface.py` (with `huggingface_classes.py` and `arrow_files.py`);
  `choice_sets.py`, `box_annotations.py` (with `picture_folder.py`). `table_entries.py` serves the readers of tables.

`classes_file.py` replaces class names; `variants/` changes pictures or questions. `data/` reads the file formats that
training reads too. No reader decodes a picture.
"""
