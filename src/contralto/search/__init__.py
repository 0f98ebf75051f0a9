"""Finding pictures by words: which files of a folder are pictures, what is known of them, and how they are asked.

Read `files.py` (the walk), `index.py` (what was embedded, kept between runs), `embed.py` (the two together: a row for
every file), then `query.py` (what is looked for, and the ranking) and `relevance.py` (where the good answers end).
"""
