"""Gradients of many micro-batches are summed in float32, also where each of them is bf16."""

import json
import os
import subprocess
import sys
from pathlib import Path

from agent_tuning.files import json_file
from tests.support import training_ranks
from tests.support.training_ranks import NEEDS_COMPILER

# One weight of bf16, on which the first micro-batch pulls with 1 and 255 others with 2 ** -9 each:
# bf16 has 8 bits, so that 1 and such a small number are 1.
MICRO_BATCHES, SMALL = 256, 2.0**-9
SUM_UP = f"""
import json, sys
import deepspeed, torch

config = json.load(open(sys.argv[1]))
config |= {{
    "bf16": {{"enabled": True}},
    "gradient_clipping": 0,
    "gradient_accumulation_steps": {MICRO_BATCHES},
    "train_micro_batch_size_per_gpu": 1,
    "train_batch_size": {MICRO_BATCHES},
}}
deepspeed.init_distributed(dist_backend="gloo")
with deepspeed.zero.Init(config_dict_or_path=config):
    model = torch.nn.Linear(1, 1, bias=False)
engine, *_ = deepspeed.initialize(
    model=model, config=config, optimizer=torch.optim.SGD(model.parameters(), lr=0.0)
)
for number in range({MICRO_BATCHES}):
    pull = 1.0 if number == 0 else {SMALL}
    given = torch.tensor([[pull]], dtype=torch.bfloat16)
    engine.backward(engine(given).sum() * {MICRO_BATCHES})  # DeepSpeed takes the mean
    engine.step()
print("norm", float(engine.get_global_grad_norm()))
"""


def sum_gradients(folder: Path, config: dict[str, object]) -> float:
    """What DeepSpeed has summed up with this config at the end of a step."""
    (folder / "zero3.json").write_text(json.dumps(config))
    ranks = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(training_ranks.find_free_port())}
    done = subprocess.run(
        [sys.executable, "-c", SUM_UP, folder / "zero3.json"],
        env=os.environ | training_ranks.ENVIRONMENT | ranks | address,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("norm ")]
    return float(line.split()[1])


@NEEDS_COMPILER
def test_small_gradients_after_a_large_one_are_not_lost(tmp_path):
    config = json_file.read(training_ranks.ROOT / "slurm/zero3.json", dict[str, object])
    assert sum_gradients(tmp_path, config) == 1 + (MICRO_BATCHES - 1) * SMALL
    config.pop("data_types")  # as it had been: sums in bf16
    assert sum_gradients(tmp_path, config) == 1
