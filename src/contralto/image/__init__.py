"""From a picture in any form to the pixels a tower expects, with Pillow and NumPy alone.

Read in this order: `decode` (item -> upright Pillow image, within limits), `formats` (which files are pictures, and
who reads them), `bare` (a file without what stands beside its pixels), `transform` (Pillow image -> float32 pixels, the
exact CLIP pipeline), `window` (the same for very long, thin pictures), `taps` (Pillow's weights), `resample` and
`_resample.c` (the resize that most pictures get, compiled, to Pillow's bits).
"""
