"""Measures a model on data sets: figures with intervals, their protocol, one record per item.

Read `outcome.py` (the result; `condition.py`: under which condition; `metric_table.py`: the metrics by name), `run.py`
(`evaluate`) and `session.py`; then `store.py` and `cached_embeddings.py` (embeddings on disk). Each task has a module:
`zero_shot.py` (with `predictions.py`), `multi_label.py`, `retrieval.py`, `choice.py`, `detection.py` (with
`pointing.py`); `figures.py` computes intervals, `protocol.py` states what determines a figure, `notes.py` logs. Other
conditions: `probes.py`, `checks.py` (with `prompt_study.py`, `faces.py`, `long_texts.py`), `overlapping.py` (with
`overlap.py`, `alignment.py`). Results are published by `publish.py`, `report_files.py`, `report/`,
`published_figures.py` and `card.py`, and compared by `compare.py`. `clipscore.py` and `captioned.py` score captions.
"""
