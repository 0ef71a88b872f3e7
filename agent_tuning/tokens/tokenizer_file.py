"""The tokenizer of a model's folder."""

from pathlib import Path

from tokenizers import Tokenizer

from agent_tuning.files import json_file
from agent_tuning.records import BadInput, Json


def read_tokenizer(path: Path) -> Tokenizer:
    """Read tokenizer.json. Raises BadInput if it is missing or damaged."""
    if not path.exists():
        raise BadInput(f"{path}: missing tokenizer; run `dvc repro fetch`")
    json_file.read(path, dict[str, Json])
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        if type(error) is not Exception:  # the library raises no type of its own
            raise
        raise BadInput(f"{path}: expected a tokenizer: {error}") from error
