"""Measuring a model: figures with intervals, the protocol behind them, a record an item.

Read `outcome.py` (what measuring gives), `run.py` (`evaluate`: what is asked of which set), `store.py` and `embed.py`
(rows, kept between runs), then what is made of them: `classes.py`, `labels.py`, `retrieval.py`, `choice.py`,
`probes.py`; `checks.py` (the same under other conditions); `protocol.py`; and who tells it: `files.py`, `report/`,
`card.py`, `compare.py`. Studies of their own: `overlap.py`, `faces.py`, `prompt_study.py`, `clipscore.py`.
"""
