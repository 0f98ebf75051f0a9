"""ONNX Runtime on the graphs that Contralto writes next to its weights: fp32, or int8 by its own dynamic quantiser.

transformers (Rust) tokenizes its texts, in batches of 32, each padded to its longest text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from contenders import TEXTS_AT_ONCE, batches, class_embeddings, processors, unit, versions


class OnnxRuntime:
    def __init__(self, model: str, precision: str, tower: str, tokenizer: str) -> None:
        graph = Path(model) / f"{tower}.onnx"
        if precision == "int8":
            graph = quantised(graph)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = processors()
        self._session = onnxruntime.InferenceSession(graph, settings, providers=["CPUExecutionProvider"])
        self._precision, self.about = precision, versions("onnxruntime")
        if tower == "text":
            from transformers import CLIPTokenizerFast

            self._tokenizer = CLIPTokenizerFast.from_pretrained(tokenizer)
            self.about += f", {versions('tokenizers')}"

    def precision(self, tower: str) -> str:
        return self._precision

    def images(self, pixels: np.ndarray) -> np.ndarray:
        return unit(self._session.run(None, {"pixels": pixels})[0])

    def texts(self, texts: list[str]) -> np.ndarray:
        embeddings = []
        for some in batches(texts, TEXTS_AT_ONCE):
            encoded = self._tokenizer(some, padding="longest", max_length=77, truncation=True, return_tensors="np")
            ids = encoded["input_ids"] * encoded["attention_mask"]
            embeddings.append(unit(self._session.run(None, {"ids": ids.astype(np.int64)})[0]))
        return np.concatenate(embeddings)

    def labels(self, labels: list[str], templates: list[str]) -> np.ndarray:
        prompts = [template.replace("{}", label) for label in labels for template in templates]
        return class_embeddings(self.texts(prompts), len(templates))


def quantised(graph: Path) -> Path:
    """A copy in int8, written once next to the original."""
    from onnxruntime.quantization import quantize_dynamic

    made = graph.with_name(f"{graph.stem}-ort-int8.onnx")
    if not made.exists():
        partial = made.with_suffix(".partial")
        quantize_dynamic(folded(graph), partial, per_channel=True)
        os.replace(partial, made)
    return made


def folded(graph: Path) -> Any:
    """The model with transposed weights instead of Transpose nodes: the quantiser handles only constant weights."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(graph)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    transposes = [node for node in model.graph.node if node.op_type == "Transpose" and node.input[0] in constants]
    for node in transposes:
        array = numpy_helper.to_array(constants[node.input[0]])
        order = next(list(attribute.ints) for attribute in node.attribute if attribute.name == "perm")
        turned = numpy_helper.from_array(np.ascontiguousarray(array.transpose(order)), node.output[0])
        model.graph.initializer.append(turned)
        model.graph.node.remove(node)
    used = {name for node in model.graph.node for name in node.input}
    for name in constants.keys() - used:
        model.graph.initializer.remove(constants[name])
    return model


def make(model: str, precision: str, tower: str, tokenizer: str = "") -> OnnxRuntime:
    return OnnxRuntime(model, precision, tower, tokenizer)
