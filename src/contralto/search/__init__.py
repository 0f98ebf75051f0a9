"""Search for pictures by text or picture: which files of a folder are pictures, their embeddings, and the ranking.

Read `walk.py` (pictures in a folder), `index.py` (the cache of their embeddings), `encoder.py` (the methods of a model
that searching needs), `embed_files.py` (an embedding for every file, from the cache or the model), then `query.py` (the
query and the ranking) and `relevance.py` (where relevant results end).
"""
