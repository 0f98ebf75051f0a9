"""Variants of a data set: the same items with changed pictures or other questions.

Read lazy_items.py and randomness.py, then any of: corruptions/ (noise, blur, weather, digital), typographic.py (a wrong
name written on the picture), sizes.py (a small picture), questions.py (negation, similar classes). Each is a function
from a DataSet to a DataSet; it changes a picture only when the item is used.
"""
