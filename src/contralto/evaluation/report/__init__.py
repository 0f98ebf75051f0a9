"""The report as one HTML page.

Read page.py, then section.py (one data set), table.py (figures next to published ones), mistakes.py (confusion,
pictures), boxes.py (true and detected boxes), audits.py (near-duplicates, faces), shifts.py (robustness), details.py
(protocols). plots.py draws with the shapes of svg.py; words.py formats names and numbers and escapes them; variants.py
groups outcomes by condition; style.py is the CSS; document.py frames a page.
"""

from contralto.evaluation.report.page import page

__all__ = ["page"]
