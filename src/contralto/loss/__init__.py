"""Losses. Read `infonce.py`, the paper's symmetric cross-entropy. Needs torch."""
