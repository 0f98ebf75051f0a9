"""The page of an adaptation, for readers who want an answer before a figure.

Read page.py, then the sections in their order: headline.py (did it help), choice.py (how it was chosen), more.py (more
pictures, less of the change), cost.py (what it costs elsewhere), pictures.py (doubtful labels, changed answers), use.py
(commands, files). plots.py draws; words.py says things in words; style.py is the CSS that the pages of `evaluate` lack.
"""

from contralto.adaptation.page.page import page

__all__ = ["page"]
