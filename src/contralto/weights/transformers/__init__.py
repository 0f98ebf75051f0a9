"""transformers' folders: CLIPModel, SiglipModel (SigLIP, and SigLIP 2 of fixed resolution) and AlignModel.

Read `files.py` (a folder read and written), `config.py` (config.json to towers), `pictures.py` (the image processor's
settings to ours), `texts.py` (the tokenizer that lies there), then `writing.py`, which is the way back.
"""

from contralto.weights.transformers.files import read, write

__all__ = ["read", "write"]
