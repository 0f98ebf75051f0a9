"""Texts a second from token ids, of 8 and 16 tokens: the default engine beside eager PyTorch.

    python benchmarks/text.py [MODEL_FOLDER]
"""

from side_by_side import side_by_side

if __name__ == "__main__":
    side_by_side("text", [(1, 8), (32, 8), (32, 16)])
