"""Write a tuned folder as one GGUF file, for llama.cpp: `make export FORMAT=gguf`.

llama.cpp's own converter does it, out of an environment of its own (.venv-gguf). Weights become
float16; tokenizer, chat template and end of turn go along. The converter refuses a tokenizer that
llama.cpp does not know.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from agent_tuning.files import atomic_write
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from benchmark.model_folder import hash_model, name_model

ENVIRONMENT = Path(".venv-gguf")
EXPORTS = Path("exports")


def find_site() -> list[Path]:
    """Where the packages of .venv-gguf are, if it was made."""
    return [path.resolve() for path in ENVIRONMENT.glob("lib/python*/site-packages")]


def build_environment() -> Mapping[str, str]:
    """The variables with which this Python also finds the packages of .venv-gguf."""
    if not (site := find_site()):
        raise BadInput(f"{ENVIRONMENT}: missing; run `make export FORMAT=gguf`")
    paths = [*map(str, site), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def find_export(model: Path) -> Path:
    """The GGUF file of a model. Raises BadInput if there is none, or only one of other weights."""
    target = EXPORTS / f"{name_model(model)}.gguf"
    source = _find_source(target)
    if not target.exists() or not source.exists() or source.read_text() != hash_model(model):
        state = "made of another model or other weights" if target.exists() else "missing"
        raise BadInput(f"{target}: {state}; run `make export FORMAT=gguf MODEL={model}`")
    return target


def _find_source(target: Path) -> Path:
    """The file beside an export with the hash of the model that it was made of."""
    return target.with_suffix(".source")


def main(model: Path, format: Path) -> None:
    if str(format) != "gguf":
        raise BadInput(f"FORMAT={format}: expected gguf")
    if not (model / "config.json").is_file():
        raise BadInput(f"{model}/config.json: missing; expected the folder of a model")
    EXPORTS.mkdir(exist_ok=True)
    target = EXPORTS / f"{name_model(model)}.gguf"
    partial = target.with_suffix(".partial")
    environment, source = build_environment(), hash_model(model)
    command = [sys.executable, "-m", "convert_hf_to_gguf", str(model)]
    done = subprocess.run(
        [*command, "--outfile", str(partial), "--outtype", "f16"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BadInput(f"{model}: the converter refuses it: {lines[-1]}")
    _find_source(target).unlink(missing_ok=True)  # a kill between the two leaves none
    os.replace(partial, target)
    atomic_write.write_text(_find_source(target), source)
    print(
        f"{target}: {target.stat().st_size / 1e6:.0f} MB; `make serve ENGINE=llama.cpp` serves it"
    )


if __name__ == "__main__":
    cli.run(main)
