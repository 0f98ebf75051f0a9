"""A CLIP made better at one's own data, and whether it is.

Read `run.py` (the whole), `roles.py` (who is fitted, who is measured), `rows.py` and `methods.py` (what is fitted),
`choose.py` (which method), `measure.py` and `verdict.py` (did it help, and what did it cost), `result.py`,
`page/page.py` (what the user reads).
"""

from contralto.train.tuning.settings import Full, Lora, Prompt

__all__ = ["Full", "Lora", "Prompt"]
