"""Losses. Read `infonce.py`, the paper's symmetric cross-entropy, then `classes.py`, for classes. Needs torch."""
