"""How other code names and shapes the same tensors. Read `parts.py` (a layout as data), then a file for each layout."""
