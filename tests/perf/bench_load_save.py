"""Memory to load and to save a divided model: `python -m tests.perf.bench_load_save [MILLIONS]`.

Random bf16 weights of so many million parameters (1000) in the shape of Qwen2.5 go through the code
of `stages.train`: two ranks load them under ZeRO-3, on CPUs, and write them file by file. The
parent looks at both every 10 ms. Private memory counts: pages of the files that are read belong to
the system, which takes them back. The last lines say what follows for 72B.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from agent_tuning.runtime.death_watch import read_status
from tests.perf.bench_memory import read_gigabytes
from tests.support import training_ranks

RANKS = 2
INTERVAL_S = 0.01
SHARD = "500MB"  # of a file, as export.MAX_SHARD_SIZE is for a real model
SHARD_GB = 0.5
GB = 1e9
HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, VOCAB = 2048, 8192, 16, 2, 32_768
PHASES = ("imports", "load", "loaded", "save")
# Of Qwen2.5-72B, whose embedding is its largest weight, and export.MAX_SHARD_SIZE.
LARGE_WEIGHT_GB, LARGE_FILE_GB = 152_064 * 8192 * 2 / GB, 5.0


class Peak(NamedTuple):
    """GB at the peak: private memory, and pages of files."""

    private: float = 0.0
    files: float = 0.0

    def raise_to(self, other: "Peak") -> "Peak":
        return Peak(max(self.private, other.private), max(self.files, other.files))


def build_shape(millions: int) -> dict[str, Any]:
    """Keys of Qwen2Config for about so many parameters."""
    layer = (
        2 * HIDDEN * HIDDEN + 2 * HIDDEN * HIDDEN * KV_HEADS // HEADS + 3 * HIDDEN * INTERMEDIATE
    )
    layers = max(1, round((millions * 1e6 - 2 * VOCAB * HIDDEN) / layer))
    return {
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": VOCAB,
        "tie_word_embeddings": False,
    }


def write_base(folder: Path, millions: int) -> int:
    """Write random weights, a file at a time; the number of parameters."""
    import torch
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, Qwen2Config

    from agent_tuning.training.weight_files import INDEX_FILE

    config = Qwen2Config(**build_shape(millions), dtype="bfloat16")
    with torch.device("meta"):
        weights = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).state_dict()
    plan = split_torch_state_dict_into_shards(weights, max_shard_size=SHARD)
    folder.mkdir()
    for file, names in plan.filename_to_tensors.items():
        shard = {
            name: torch.empty(weights[name].shape, dtype=torch.bfloat16).normal_(std=0.02)
            for name in names
        }
        save_file(shard, folder / file, metadata={"format": "pt"})
    index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
    (folder / INDEX_FILE).write_text(json.dumps(index))
    config.architectures = ["Qwen2ForCausalLM"]
    config.save_pretrained(folder)
    return sum(weight.numel() for weight in weights.values())


def run_rank(folder: Path) -> None:
    """What a rank does, as `stages.train` does it on GPUs: in bf16."""
    rank = os.environ["RANK"]

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        (folder / f"phase.{rank}").write_text(name)
        started = time.monotonic()
        yield
        seconds = time.monotonic() - started
        with open(folder / f"seconds.{rank}", "a") as file:
            file.write(f"{name} {seconds:.1f}\n")

    with phase("imports"):
        import torch
        from transformers.integrations import HfDeepSpeedConfig

        from agent_tuning.model.flops import read_model_shape
        from agent_tuning.model.load_model import load_model
        from agent_tuning.training import distributed, weight_files, zero3

        distributed.join_ranks()
        file = training_ranks.ROOT / "slurm/zero3.json"
        config = zero3.build_deepspeed_config(file, read_model_shape(folder / "base"))
        config |= {
            "bf16": {"enabled": True},
            "gradient_clipping": 1.0,
            "gradient_accumulation_steps": 1,
            "train_micro_batch_size_per_gpu": 1,
            "train_batch_size": RANKS,
        }
        kept = HfDeepSpeedConfig(config)  # transformers looks whether there is one
    with phase("load"):
        model = load_model(folder / "base", torch.bfloat16)
        distributed.wait_for_all()
    with phase("loaded"):
        time.sleep(10 * INTERVAL_S)
    with phase("save"):
        target = folder / "saved" if distributed.is_rank0() else None
        weight_files.write(model, target, SHARD)
        distributed.wait_for_all()
    del kept


def start_rank(folder: Path, rank: int, port: int) -> subprocess.Popen[bytes]:
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": RANKS, "LOCAL_WORLD_SIZE": RANKS}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    given = {name: str(value) for name, value in (ranks | address).items()}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.perf.bench_load_save", "rank", str(folder)],
        env=os.environ | training_ranks.ENVIRONMENT | given,
    )


def read_memory(process: int) -> Peak:
    """Of a process now; nothing if it has ended."""
    status = read_status(process)
    return Peak(read_gigabytes(status, "RssAnon"), read_gigabytes(status, "RssFile"))


def measure(folder: Path) -> dict[tuple[int, str], Peak]:
    """Run both ranks; the peak of each in each phase."""
    port = training_ranks.find_free_port()
    ranks = [start_rank(folder, rank, port) for rank in range(RANKS)]
    peaks: dict[tuple[int, str], Peak] = {}
    while any(process.poll() is None for process in ranks):
        for rank, process in enumerate(ranks):
            file = folder / f"phase.{rank}"
            phase = file.read_text() if file.exists() else ""
            now = read_memory(process.pid)
            peaks[rank, phase] = peaks.get((rank, phase), Peak()).raise_to(now)
        time.sleep(INTERVAL_S)
    if any(process.returncode for process in ranks):
        sys.exit("a rank failed")
    return peaks


def check_saved(folder: Path) -> None:
    """Exit with a line unless every weight that was saved is the one that was loaded."""
    from safetensors import safe_open

    from agent_tuning.training.weight_files import INDEX_FILE

    files = json.loads((folder / "base" / INDEX_FILE).read_text())["weight_map"]
    saved = json.loads((folder / "saved" / INDEX_FILE).read_text())["weight_map"]
    if files.keys() != saved.keys():
        sys.exit("other weights were saved")
    for name in files:
        with (
            safe_open(folder / "base" / files[name], "pt") as one,
            safe_open(folder / "saved" / saved[name], "pt") as other,
        ):
            if not one.get_tensor(name).equal(other.get_tensor(name)):
                sys.exit(f"{name}: not saved as it was loaded")


def main(millions: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parameters = write_base(folder / "base", millions)
        (folder / "saved").mkdir()
        peaks = measure(folder)
        check_saved(folder)
        seconds = [(folder / f"seconds.{rank}").read_text().split() for rank in range(RANKS)]
    whole, largest = 2 * parameters / GB, 2 * VOCAB * HIDDEN / GB
    print(
        f"{parameters / GB:.2f} B parameters in bf16: {whole:.2f} GB, {whole / RANKS:.2f} a rank;"
    )
    print(f"files of {SHARD_GB} GB, largest weight {largest:.2f} GB; saved as they were loaded")
    print("| rank | phase | s | private memory, GB | pages of files, GB |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for rank in range(RANKS):
        times = dict(zip(seconds[rank][::2], seconds[rank][1::2], strict=True))
        for phase in PHASES:
            peak = peaks.get((rank, phase), Peak())
            row = f"{times[phase]} | {peak.private:.2f} | {peak.files:.2f}"
            print(f"| {rank} | {phase} | {row} |")
    before, loaded = peaks[0, "imports"].private, peaks[0, "loaded"].private
    while_loading = peaks[0, "load"].private - before - whole / RANKS
    while_saving = peaks[0, "save"].private - loaded
    others = max(
        peaks[rank, "save"].private - peaks[rank, "loaded"].private for rank in range(1, RANKS)
    )
    print(f"rank 0 beside its part: {while_loading:.2f} GB to load, {while_saving:.2f} to save;")
    print(f"another rank {others:.2f} GB to save")
    to_load, gathered = (part / largest * LARGE_WEIGHT_GB for part in (while_loading, others))
    to_save = LARGE_FILE_GB + gathered
    print(
        f"72B, modelled: rank 0 at most {to_load:.1f} GB to load, {to_save:.1f} to save, if all of"
    )
    print("it is in main memory; on GPUs, what is gathered is in theirs")


if __name__ == "__main__":
    if sys.argv[1:2] == ["rank"]:
        run_rank(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
