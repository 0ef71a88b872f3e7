"""DeepSpeed's settings for one model: the file's, with what depends on the size of its layers."""

import json
from pathlib import Path
from typing import Any

from agent_tuning.model.flops import ModelShape
from agent_tuning.records import BadInput

DEFAULT_LIVE_PARAMETERS = 1_000_000_000  # DeepSpeed's own limit of gathered parameters


def build_deepspeed_config(path: Path, shape: ModelShape) -> dict[str, Any]:
    """The next layer is fetched while one computes, and three may be whole at a time.

    DeepSpeed's limit alone holds a layer of 72b (878 M) and fetches nothing ahead; transformers'
    "auto" fetches a tenth of a layer.
    """
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sharing = config["zero_optimization"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"{path}: expected DeepSpeed's JSON with zero_optimization: {error}"
        ) from error
    live = max(DEFAULT_LIVE_PARAMETERS, 3 * shape.layer)
    sharing["stage3_prefetch_bucket_size"] = shape.layer
    sharing["stage3_max_live_parameters"] = sharing["stage3_max_reuse_distance"] = live
    return config
