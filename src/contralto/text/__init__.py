"""From a string to token ids, without torch.

Read `tokenizer.py` (what the rest of Contralto uses: `load`, `Tokenizer`), then `clean.py` (repair and normalisation
before it), `bpe.py` (CLIP's byte-pair encoding; its merge table is `clip-bpe.bin`), `wordpiece.py` (BERT's) and
`foreign.py` (tokenizer.json and SentencePiece models).
"""
