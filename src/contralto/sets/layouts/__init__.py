"""Readers of the published data sets: a module per file format, a function per data set.

A reader takes the root folder, a split and the declared classes, and returns the items of the split. The registry names
it as `module:function`; it is imported when the data set is opened. `locate.py` (files), `documents.py` (JSON, CSV) and
`class_index.py` (class indices) serve all readers.
"""
