"""A typical user program with transformers: FOLDER PICTURE LABEL... -> the probabilities of the labels."""

import sys

import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

folder, picture, *labels = sys.argv[1:]
model, processor = CLIPModel.from_pretrained(folder).eval(), CLIPProcessor.from_pretrained(folder)
texts = [f"a photo of a {label}." for label in labels]
inputs = processor(text=texts, images=Image.open(picture), return_tensors="pt", padding=True)
with torch.inference_mode():
    print(model(**inputs).logits_per_image.softmax(dim=-1).tolist())
