"""Fetch the base model of a size at its pinned revision: arguments SIZE FOLDER.

A size without a hub model gets the tiny model of random weights.
"""

import os
import shutil
from pathlib import Path

from agent_tuning.model import base_model, provenance, serving_files
from agent_tuning.model.base_model import FetchConfig
from agent_tuning.model.provenance import Provenance
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "LICENSE", "README.md"]


def fetch_from_hub(name: str, size: Size, folder: Path) -> None:
    """Write a snapshot of the hub to `folder`; files in the hub's cache are not loaded again."""
    if size.revision is None:
        raise BadInput(sizes.describe_missing_revision(name, size))
    os.environ["HF_HUB_OFFLINE"] = "0"  # before huggingface_hub is imported
    from huggingface_hub import snapshot_download
    from transformers import AutoTokenizer

    assert size.hub is not None
    try:
        snapshot_download(
            size.hub, revision=size.revision, local_dir=folder, allow_patterns=HUB_FILES
        )
    except OSError as error:  # the hub's own errors are OSErrors too
        raise BadInput(f"{size.hub}@{size.revision}: {str(error).splitlines()[0]}") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    # The hub may keep the chat template inside another file; our stages copy it as a separate file.
    AutoTokenizer.from_pretrained(folder, local_files_only=True).save_pretrained(folder)
    serving_files.write_serving_files(folder)
    origin = f"the hub at revision {size.revision}"
    provenance.write(folder, Provenance(size.hub, origin, read_license(folder)))


def read_license(folder: Path) -> str:
    """The license that the model's card states; unknown if there is none, or no card."""
    from huggingface_hub import ModelCard

    card = folder / "README.md"
    if not card.exists():
        return "unknown"
    data = ModelCard.load(card).data
    return str(data.get("license_name") or data.get("license") or "unknown")


def main(name: Path, folder: Path) -> None:
    size = sizes.load(str(name))
    if size.hub:
        fetch_from_hub(str(name), size, folder)
    else:
        model = base_model.build_random_weights(config.load("fetch", FetchConfig), folder)
        base_model.save_base_model(*model, folder)


if __name__ == "__main__":
    cli.run(main)
