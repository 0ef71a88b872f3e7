"""The folder of a model: the name of what is made of it, and a hash of what shapes its answers.

`python -m benchmark.model_folder MODEL` prints the name.
"""

from pathlib import Path

from agent_tuning.records import Record
from agent_tuning.runtime import cli
from agent_tuning.runtime.cache_key import compute_run_key

MODELS = "models"
TEMPLATE_FILE = "chat_template.jinja"  # `compute_run_key` leaves it out of a folder


def find_place(model: Path) -> tuple[str, ...]:
    """The parts of its path below the last folder `models`, links as they are; () below none."""
    parts = model.parts
    return parts[len(parts) - parts[::-1].index(MODELS) :] if MODELS in parts[:-1] else ()


def name_model(model: Path) -> str:
    """`mine` of models/mine, `500m-tuned` of models/500m/tuned; elsewhere the last part."""
    return "-".join(find_place(model)) or model.absolute().name


def list_inputs(folder: Path) -> list[Path]:
    """The folder, and the template that writes its prompts: all that shapes its answers."""
    template = folder / TEMPLATE_FILE
    return [folder, template] if template.is_file() else [folder]


def hash_model(folder: Path) -> str:
    """Of weights, settings and chat template, 16 hex digits. Raises BadInput without weights."""
    return compute_run_key(Record(), list_inputs(folder))


def main(model: Path) -> None:
    print(name_model(model))


if __name__ == "__main__":
    cli.run(main)
