"""The parts of recipes/nano.py, in the order of the data: start.py (where the two towers come from), vocabulary.py,
views.py and features.py (pictures), words.py (texts), tasks.py (what is learned), measure.py (dev and val figures),
card.py (what is said of it)."""
