"""The parts of recipes/nano.py, in the order of the data.

start.py (the two starting towers), heads.py (the modules that learn), words.py (texts and the reduced vocabulary),
views.py and features.py (pictures), material.py (features and texts that the tasks sample), tasks.py (the objectives),
measure.py (dev and val metrics). card.md goes into the package next to the weights.
"""
