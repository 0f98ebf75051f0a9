"""Small foreign vocabularies, trained here with the package tokenizers."""

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Peer

SENTENCES = [
    f"a {c} {n} on the {p}" for c in ("red", "blue", "Émile's") for n in ("dog", "дом", "猫") for p in ("mat", "sea")
]


def unigram() -> Peer:
    """Like SigLIP's: a unigram vocabulary; every sentence begins with the mark of a space."""
    peer = Peer(models.Unigram())
    peer.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")])
    peer.pre_tokenizer = pre_tokenizers.Metaspace()
    peer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    peer.train_from_iterator(
        SENTENCES * 3,
        trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False),
    )
    peer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return peer


def gemma() -> Peer:
    """Like SigLIP 2's: byte pairs with marked spaces, and bytes for unknown parts."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"adehnorst"]
    merges = [("t", "h"), ("th", "e"), ("▁", "a"), ("▁", "the"), ("d", "o")]
    vocabulary = {token: number for number, token in enumerate([*tokens, *("".join(pair) for pair in merges)])}
    peer = Peer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    peer.normalizer = normalizers.Replace(" ", "▁")
    peer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    peer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>"])
    return peer


def bert() -> Peer:
    peer = Peer(models.WordPiece(unk_token="[UNK]"))
    peer.normalizer = normalizers.BertNormalizer()
    peer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    peer.train_from_iterator(
        SENTENCES, trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    )
    peer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return peer
