"""Optional packages of training, as arguments of the Trainer; one clear line if one is missing."""

from importlib.util import find_spec
from typing import Any

import torch

from agent_tuning.records import BadInput


def reporting_arguments(report_to: str) -> dict[str, Any]:
    """Log loss, learning rate and gradient norm to tensorboard or wandb as well, or to none."""
    if report_to != "none":
        _require(report_to, f"train.report_to: {report_to}")
    return {"report_to": report_to}


def liger_arguments(wanted: bool) -> dict[str, Any]:
    """Liger's kernels for RMSNorm, RoPE and SwiGLU. They have not run yet: there was no GPU.

    Liger's cross-entropy is not used. Fused with the projection, it reads weights that ZeRO-3 has
    not gathered; `model.loss` computes supervised positions only.
    """
    if not wanted:
        return {}
    if not torch.cuda.is_available():
        raise BadInput(
            "params.yaml: train.liger: needs a GPU, and none is available; set it to false"
        )
    _require("liger_kernel", "train.liger")
    kernels = {"rope": True, "rms_norm": True, "swiglu": True}
    losses = {"cross_entropy": False, "fused_linear_cross_entropy": False}
    return {"use_liger_kernel": True, "liger_kernel_config": kernels | losses}


def _require(package: str, why: str) -> None:
    if find_spec(package) is None:
        name = package.replace("_", "-")
        raise BadInput(f"params.yaml: {why}: {name} is not installed; `pip install {name}`")
