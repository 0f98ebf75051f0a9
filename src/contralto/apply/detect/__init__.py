"""What is where: boxes by the heads of a detector, or by regions with any other model.

Read `run.py` (what one calls), then `owl.py` (the heads), or `regions.py`, `windows.py` and `tight.py` (any CLIP);
`suppress.py` serves both, `draw.py` shows the boxes.
"""
