"""open_clip's files and folders. Read `folder.py` (reads a folder or file, writes a folder), `config.py` (configuration
to contract), `writing.py` (contract to configuration) and `trunks.py` (timm's names). The tensors are in
`layouts/open_clip.py`.
"""

from contralto.weights.open_clip.folder import read, write

__all__ = ["read", "write"]
