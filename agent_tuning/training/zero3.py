"""DeepSpeed's config for one model: that of a file, and limits from the size of its layers."""

from pathlib import Path
from typing import Any

from agent_tuning.files import json_file
from agent_tuning.model.flops import ModelShape
from agent_tuning.records import BadInput, Json

DEFAULT_LIVE_PARAMETERS = 1_000_000_000  # gathered at a time; DeepSpeed's own default


def build_deepspeed_config(path: Path, shape: ModelShape) -> dict[str, Any]:
    """Let DeepSpeed fetch the next layer while one computes, and hold three gathered layers.

    With DeepSpeed's default, one layer of a 72B model (878 M parameters) fills the limit, and
    nothing is fetched ahead. transformers' "auto" fetches a tenth of a layer. Raises BadInput if
    the file is not DeepSpeed's JSON.
    """
    config = json_file.read(path, dict[str, Json])
    zero = config.get("zero_optimization")
    if not isinstance(zero, dict):
        raise BadInput(f"{path}: expected DeepSpeed's JSON with zero_optimization")
    live = max(DEFAULT_LIVE_PARAMETERS, 3 * shape.layer)
    zero["stage3_prefetch_bucket_size"] = shape.layer
    zero["stage3_max_live_parameters"] = zero["stage3_max_reuse_distance"] = live
    return config
