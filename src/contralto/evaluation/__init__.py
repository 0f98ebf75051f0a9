"""Measuring a model: figures with intervals, the protocol behind them, a record an item.

Read `outcome.py`, `figures.py` (what measuring gives) and `run.py` (`evaluate`: what is asked of which set);
`store.py`, `embed.py` (rows, kept between runs); what is made of them: `answers.py`, `classes.py`, `labels.py`,
`retrieval.py`, `choice.py`, `probes.py`; the same under other conditions: `checks.py`, `prompt_study.py`, `faces.py`,
`overlap.py` (which pictures are one, by `alignment.py`) and `overlapping.py` (what that did to a figure);
`protocol.py`; and who tells it: `publish.py`, `files.py`, `report/`, `published.py`, `card.py`, `compare.py`.
`clipscore.py` and `captioned.py` score captions.
"""
