"""Training. Read `recipe.py` (what a run is, as data), `loop.py` (the run), then what the loop calls:
`optimiser.py`, `precision.py`, `interruption.py`, `checkpoint.py`, `log.py`, `progress.py`. `contrastive.py` makes the
task that is plain CLIP, `validation.py` measures while it runs, `towers.py` starts a tower from given weights (LiT).
`recipe_file.py` finds a recipe's file and executes it. Needs torch.
"""
