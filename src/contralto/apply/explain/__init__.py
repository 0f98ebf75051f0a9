"""Why a picture and a text have their cosine: which places and which words speak for it.

Read `explanation.py` (the result), `run.py` (the way from a picture and a text to it), then one file per method:
`by_gradient.py` (relevance, gradcam), `by_cells.py`, `by_occlusion.py`, `by_masks.py` (RISE). `by_words.py` explains
the text, and `sanity.py` asks whether a map depends on the weights at all.
"""

from contralto.apply.explain.explanation import METHODS, Explanation, Method, WordEffect
from contralto.apply.explain.run import explain, explain_texts

__all__ = ["METHODS", "Explanation", "Method", "WordEffect", "explain", "explain_texts"]
