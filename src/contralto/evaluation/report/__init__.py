"""The report as one HTML page.

Read page.py, then section.py (one set), table.py (figures beside published ones), mistakes.py (confusion, pictures),
shifts.py (robustness). plots.py draws with the pieces of svg.py; words.py says names and numbers and escapes;
variants.py sorts what was measured; style.py is the look.
"""

from contralto.evaluation.report.page import page

__all__ = ["page"]
