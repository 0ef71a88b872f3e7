"""The package bfcl-eval as installed, with one model in place of its list of models.

Its list imports the SDK of every vendor, torch among what they need. The checker asks it one thing:
whether the model's API writes `a.b` as `a_b`. So this module takes the list's place, and everything
else is theirs. Import nothing of bfcl_eval before `open_package` ran.
"""

import importlib.util
import os
import sys
import types
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from agent_tuning.records import BadInput

NAME = "bfcl-eval"
REGISTRY = "bfcl_eval.constants.model_config"
# The model's name in their result files. They turn "_" into "/" when they look a model up.
MODEL = "served"


@dataclass(frozen=True)
class ModelConfig:
    """An entry of their list: its fields have their names."""

    model_handler: Any
    model_name: str = MODEL
    display_name: str = MODEL
    url: str = ""
    org: str = ""
    license: str = ""
    input_price: float | None = None
    output_price: float | None = None
    is_fc_model: bool = True  # native `tools=`
    underscore_to_dot: bool = True  # OpenAI's protocol allows no dot in a tool's name


def open_package(root: Path) -> None:
    """Make bfcl_eval importable; it keeps results, scores and locks in `root`.

    Raises BadInput if bfcl-eval is not installed.
    """
    if importlib.util.find_spec("bfcl_eval") is None:
        raise BadInput(f"{sys.executable}: {NAME} is not installed here; run `make bfcl`")
    os.environ["BFCL_PROJECT_ROOT"] = str(root.resolve())
    registry = types.ModuleType(REGISTRY)
    registry.MODEL_CONFIG_MAPPING = {}  # type: ignore[attr-defined]
    sys.modules[REGISTRY] = registry
    from benchmark.official_bfcl.served_handler import ServedHandler  # imports bfcl_eval

    registry.MODEL_CONFIG_MAPPING[MODEL] = ModelConfig(ServedHandler)


def read_version() -> str:
    """The name and version of the installed package, as its numbers are named."""
    return f"{NAME} {metadata.version(NAME)}"
