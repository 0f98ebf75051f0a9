"""Pictures a second from tensors: the default engine beside eager PyTorch.

    python benchmarks/image.py [MODEL_FOLDER]
"""

from side_by_side import side_by_side

if __name__ == "__main__":
    side_by_side("image", [(1,), (16,)])
