"""From a picture in any form to the pixels that a tower expects, with Pillow and NumPy alone.

Read in this order: `decode` (item -> upright Pillow image, within limits), `formats` (which files are pictures, and
their readers), `strip_metadata` (a file without its metadata), `transform` (Pillow image -> float32 pixels, the exact
CLIP pipeline), `window` (the same for very long, thin pictures), `resize_weights` (Pillow's filter weights), `resample`
and `_resample.c` (the compiled resize of most pictures, bit for bit Pillow's).
"""
