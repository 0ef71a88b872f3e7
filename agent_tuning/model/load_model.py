"""A model out of its folder. A damaged one is one line, and never random numbers in its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from agent_tuning.files import json_file
from agent_tuning.model.shared_prefix_attention import SHARED_PREFIX
from agent_tuning.records import BadInput, Json

FLOAT_TYPES = {"F64", "F32", "F16", "BF16"}
# What transformers raises for a config or weights that it cannot use.
ERRORS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError),
    *(SafetensorError, StrictDataclassError, TypeError, ValueError),
)
MAX_REASON = 300  # characters of another library's error
MAX_NAMES = 3  # tensors that an error names


def load_model(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """Load all weights, with attention over shared prefixes.

    Raises BadInput if there is no model in the folder, if its files are damaged, or if its tensors
    are not those of its config: transformers would fill the missing ones with random numbers.
    """
    check_files(folder)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # what it would print as a table is an error here
    try:
        with explain_damage(folder):
            model, info = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                attn_implementation=SHARED_PREFIX,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    finally:
        logging.set_verbosity(verbosity)
    problems = {
        "its weights lack": info["missing_keys"],
        "its config has no place for": info["unexpected_keys"],
        "its config gives other sizes to": {name for name, *_ in info["mismatched_keys"]},
    }
    for problem, names in problems.items():
        if names:
            some = ", ".join(sorted(names)[:MAX_NAMES])
            raise BadInput(f"{folder}: {problem} {len(names)} tensors: {some}")
    loaded: PreTrainedModel = model
    return loaded


def check_files(folder: Path) -> None:
    """Raise BadInput if config.json or the head of a file of weights cannot be read."""
    if not (folder / "config.json").exists():
        raise BadInput(f"{folder}: no model: expected a config.json")
    json_file.read(folder / "config.json", dict[str, Json])
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as weights:
                kinds = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{path}: {error}") from error
        if other := kinds - FLOAT_TYPES:
            raise BadInput(f"{path}: expected floats, found {', '.join(sorted(other))}")


def read_vocabulary_size(folder: Path) -> int:
    """How many token ids the model knows. Raises BadInput if its config is damaged."""
    with explain_damage(folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        return int(config.get_text_config().vocab_size)


@contextmanager
def explain_damage(folder: Path) -> Iterator[None]:
    """Raise BadInput, with the folder, for what transformers raises on a damaged model."""
    try:
        yield
    except BadInput:
        raise
    except ERRORS as error:
        reason = " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
        raise BadInput(f"{folder}: cannot be read as a model: {reason}") from error
