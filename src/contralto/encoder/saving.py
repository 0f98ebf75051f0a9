"""Save a model to a folder, in Contralto's or another library's layout; weights are copied bit for bit as stored.

Weights that an adaptation changed are written as they are in memory, in float32.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from contralto.contract import FILE_NAME
from contralto.encoder.loaded_adaptation import LoadedAdaptation
from contralto.engine.graph.whole_tower import write_graphs
from contralto.errors import ContraltoError, WeightsError
from contralto.files import copy_files, write_error_text, written_whole
from contralto.weights import native, peft_writing
from contralto.weights.checkpoint import Checkpoint

WRITERS = {"open_clip": "contralto.weights.open_clip", "transformers": "contralto.weights.transformers"}


def save(checkpoint: Checkpoint, folder: str, layout: str, adaptation: LoadedAdaptation | None = None) -> None:
    """Writes the model. layout: native, open_clip or transformers; peft: the change of its weights alone.

    adaptation: of the model, if it has one. Raises WeightsError; ContraltoError for other layouts.
    """
    if layout == "peft":
        if adaptation is None:
            raise WeightsError(f"{checkpoint.contract.name} has no adaptation: peft stores a change, not a model")
        adaptation.require_weights(layout)
        peft_writing.write(Path(folder), adaptation.base_contract, adaptation.stored, adaptation.mix)
        return
    if adaptation is not None:
        adaptation.require_weights(layout)
    if layout == "native":
        _save_native(checkpoint, Path(folder))
    elif layout in WRITERS:
        import_module(WRITERS[layout]).write(Path(folder), checkpoint)
    else:
        raise ContraltoError(f"layout must be one of native, {', '.join(WRITERS)}, peft, got {layout!r}")


def _save_native(checkpoint: Checkpoint, folder: Path) -> None:
    """Copies a native weight file unchanged, contract last; writes the tensors of other files to a new one."""
    contract = checkpoint.contract
    vocabulary = contract.text.tokenizer.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copy_files([checkpoint.folder / vocabulary] if vocabulary else [], folder)
        if checkpoint.native is not None:
            copy_files(checkpoint.files, folder)
            with written_whole(folder / FILE_NAME) as file:
                file.write(contract.to_json().encode())
    except OSError as error:
        raise WeightsError(write_error_text(folder, error)) from error
    if checkpoint.native is None:
        assert contract.weights is not None, "what was read from files has its weights stated"
        native.write_stored(folder, contract, checkpoint.tensors, contract.weights.dtype)
    write_graphs(folder)
