"""Optional packages of training as settings of the Trainer; one line where one is missing."""

from importlib.util import find_spec
from typing import Any

import torch

from agent_tuning.records import BadInput


def reporting_arguments(report_to: str) -> dict[str, Any]:
    """Where else loss, lr and gradient norm go while training runs: none, tensorboard or wandb."""
    if report_to != "none":
        _need(report_to, f"train.report_to: {report_to}")
    return {"report_to": report_to}


def liger_arguments(wanted: bool) -> dict[str, Any]:
    """Liger's kernels for norms, rotations and SwiGLU. Not run yet: this was made without a GPU.

    Its cross-entropy stays out: fused with the projection it reads weights that ZeRO-3 has not
    gathered, and ours works on supervised positions alone.
    """
    if not wanted:
        return {}
    if not torch.cuda.is_available():
        raise BadInput("params.yaml: train.liger: its kernels need a GPU, and there is none here")
    _need("liger_kernel", "train.liger")
    kernels = {"rope": True, "rms_norm": True, "swiglu": True}
    losses = {"cross_entropy": False, "fused_linear_cross_entropy": False}
    return {"use_liger_kernel": True, "liger_kernel_config": kernels | losses}


def _need(package: str, why: str) -> None:
    if find_spec(package) is None:
        name = package.replace("_", "-")
        raise BadInput(f"params.yaml: {why}: {name} is not installed; `pip install {name}`")
