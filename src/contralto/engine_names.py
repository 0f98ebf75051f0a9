"""The engines and precisions that a user can choose. The command line reads this module without loading a runtime."""

from __future__ import annotations

ENGINES = ("auto", "eager", "openvino", "compiled")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
