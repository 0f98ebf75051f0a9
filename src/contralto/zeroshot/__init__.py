"""Zero-shot classification: texts describe each class, and a picture gets the class whose texts are most similar to it.

Read `prompts.py` (from a class name to its texts), then `classifier.py` (from those texts to a matrix with an embedding
per class, and to scores), `matrices.py` (the cache of these matrices on disk), and `calibrated.py` (scores of labels
that are independent of each other). `templates/*.json` are named sets of templates, each with its source.

Nothing here imports `contralto.encoder`: protocols list the methods that a model must have.
"""
