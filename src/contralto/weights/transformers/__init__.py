"""transformers' folders: CLIPModel, SiglipModel (SigLIP, and SigLIP 2 of fixed resolution) and AlignModel.

Read `folder.py` (a folder read and written), `config.py` (config.json to towers), `image_processor.py` (the image
processor's settings to ours), `tokenizer_config.py` (the folder's tokenizer), then `writing.py` (a contract to a
folder's settings).
"""

from contralto.weights.transformers.folder import read, write

__all__ = ["read", "write"]
