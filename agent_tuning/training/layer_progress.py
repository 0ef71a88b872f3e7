"""How much of a training step is done, told by the layers of the model as they finish."""

import torch
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from agent_tuning.runtime.progress import ReportPart

FORWARD, BACKWARD = 1, 2  # the backward pass of a layer has twice the products


class LayerProgress:
    """Calls `report` with the share of a step (0-1) after every layer of both passes.

    Hooks only look: they change no tensor. A step has `packs` passes on this rank. Outside of a
    step, as in validation, the share is 0.
    """

    def __init__(self, model: nn.Module, packs: int, report: ReportPart) -> None:
        self.report = report
        self.done = 0
        self.in_step = False
        layers = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
        self.total = (FORWARD + BACKWARD) * len(layers) * packs
        for layer in layers:
            layer.register_forward_hook(self._watch)

    def start(self) -> None:
        self.in_step, self.done = True, 0

    def stop(self) -> None:
        self.in_step, self.done = False, 0

    def _watch(self, _module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor]) -> None:
        self._add(FORWARD)
        hidden = output if isinstance(output, Tensor) else output[0]
        if hidden.requires_grad and torch.is_grad_enabled():
            hidden.register_hook(lambda _: self._add(BACKWARD))  # type: ignore[no-untyped-call]

    def _add(self, amount: int) -> None:
        if self.in_step:  # a layer that recomputes its activations counts twice
            self.done = min(self.done + amount, self.total - 1)
        self.report(self.done / self.total)
