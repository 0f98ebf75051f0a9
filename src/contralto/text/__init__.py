"""From a string to token ids, without torch.

Read `tokenizer.py` (`load` and `Tokenizer`, which the rest of Contralto uses), then `clean.py` (repair and
normalisation of a text), `bpe.py` (CLIP's byte-pair encoding; its merge table is `clip-bpe.bin`), `wordpiece.py`
(BERT's) and `foreign.py` (tokenizer.json and SentencePiece models). `parts.py` cuts a text that is longer than the
context into parts that fit.
"""
