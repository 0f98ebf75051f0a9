"""Clip: a contract and an engine in one class.

Read `clip.py` (what users call) with `options.py` (the keywords that its methods share), then `pictures.py` and
`texts.py` (the loops), `overlong.py` (texts beyond the context; `pooler.py` and `pooler_training.py` pool their parts
by what was learned), `readable.py` (open files, and items that are not pictures), `stream.py` (threads in bounded
memory) and `runner.py` (batches through the engine). `featurizer.py` gives the image tower's output before its
projection, `samples.py` the samples for measuring and calibrating. `loading.py` makes a Clip from a name or path,
`base_of.py` reads an adaptation with its base, `adapted.py` changes the weights, `loaded_adaptation.py` is what a Clip
keeps of it, `soups.py` averages several. `saving.py` writes a Clip to a folder, `torch_model.py` converts from and to
PyTorch. `golden.py` and `doctor.py` prove that a model gives the right embeddings; `bench.py` measures its speed.
"""

from contralto.encoder.clip import Clip
from contralto.encoder.loading import load
from contralto.encoder.torch_model import create, save
from contralto.inputs import Failure

__all__ = ["Clip", "Failure", "create", "load", "save"]
