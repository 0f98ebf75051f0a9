"""The parts of recipes/nano.py, in the order of the data: start.py (where the two towers come from), heads.py (what
learns), words.py (texts and the cut vocabulary), views.py and features.py (pictures), material.py (what is drawn from),
tasks.py (what is learned), measure.py (dev and val figures). card.md goes into the package beside the weights."""
