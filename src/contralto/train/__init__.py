"""Training: a recipe is data, and a run that is killed resumes to the same weights. Needs torch.

Read `recipe.py` (a run as data), `loop.py` (the run), then the modules that the loop calls: `optimiser.py`,
`autocast.py`, `average.py`, `interruption.py`, `run_checkpoint.py`, `log.py`, `progress_bar.py`. `contrastive.py` makes
CLIP's task, `validation.py` measures during a run, `load_tower.py` starts a tower from given weights (LiT).
`recipe_file.py` finds and executes a recipe's file.
"""
