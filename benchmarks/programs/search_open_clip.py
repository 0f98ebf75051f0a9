"""A typical user program with open_clip: FOLDER ROWS PATHS QUERY TOP -> the best matches, an object per line."""

import json
import sys
from pathlib import Path

import numpy as np
import open_clip
import torch

folder, rows, paths, query, top = sys.argv[1:]
model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
model.eval()
with torch.inference_mode():
    row = model.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")([query]), normalize=True)[0].numpy()
scores = np.load(rows) @ row
names = json.loads(Path(paths).read_text())
for place in np.argsort(-scores, kind="stable")[: int(top)]:
    print(json.dumps({"path": names[place], "score": round(float(scores[place]), 6)}))
