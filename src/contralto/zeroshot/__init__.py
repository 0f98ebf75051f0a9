"""Zero-shot classification: classes are described in words, and a picture takes the class whose words it is closest to.

Read `prompts.py` (from a class name to the texts that describe it), then `classifier.py` (from those texts to a matrix
with a row a class, and to scores), then `matrices.py` (which keeps such matrices on the disk) and `calibrated.py`
(scores of labels that do not depend on one another). `templates/*.json` are the published and our own sets of
templates, source stated.
"""
