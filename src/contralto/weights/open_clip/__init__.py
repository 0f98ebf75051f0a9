"""open_clip's files and folders. Read `files.py` (both ways), then `config.py` (what a configuration states),
`writing.py` (what is written into one) and `trunks.py` (timm's names). The tensors are in `layouts/open_clip.py`.
"""

from contralto.weights.open_clip.files import read, write

__all__ = ["read", "write"]
