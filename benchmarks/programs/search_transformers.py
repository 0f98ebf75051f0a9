"""A typical user program with transformers: FOLDER CLASS ROWS PATHS QUERY TOP -> the best, an object per line."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

folder, kind, rows, paths, query, top = sys.argv[1:]
model = getattr(transformers, kind).from_pretrained(folder).eval()
ids = transformers.CLIPTokenizerFast.from_pretrained(folder)([query], return_tensors="pt")
with torch.inference_mode():
    output = model.get_text_features(**ids) if kind == "CLIPModel" else model(**ids).text_embeds
row = getattr(output, "pooler_output", output)[0]
scores = np.load(rows) @ (row / row.norm()).numpy()
names = json.loads(Path(paths).read_text())
for place in np.argsort(-scores, kind="stable")[: int(top)]:
    print(json.dumps({"path": names[place], "score": round(float(scores[place]), 6)}))
