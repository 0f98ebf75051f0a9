"""Deprecated name of `class_folders.py`, for one release."""

import warnings

from contralto.data.class_folders import ClassFolders

__all__ = ["ClassFolders"]

warnings.warn("contralto.data.classes is now called contralto.data.class_folders", DeprecationWarning, stacklevel=2)
