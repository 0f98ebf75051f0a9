"""Tuning: a few steps on one's own pictures from a given CLIP, and what they change in it. Needs torch.

Read `settings.py` (what can be chosen; no torch), `examples.py` (pictures with classes or captions), `pictures.py` and
`texts.py` (what of both is computed once), `objective.py` (batches and their loss), then a way to tune: `lora.py`,
`full.py`, `prompt.py`. `plan.py` finds how many steps fit in the time, `run.py` runs them in the loop of
`contralto.train.loop`.
"""
