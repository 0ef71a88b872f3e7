"""Three sizes from an empty checkout at once: `python -m tests.perf.bench_three_sizes [FOLDER]`.

Three `make train` start together on a Slurm of this machine, with the recipe of the large sizes
cut to a few groups. One makes the data and the others wait for it. `tiny` has its weights from
here, two other sizes of random weights come from a hub on loopback. ZeRO-3 divides every weight. It
needs a package index for the wheels of BFCL and NESTFUL, or a repository that has them. With
FOLDER, the checkout and the logs stay there.

It prints when each stage of each size began, and fails if a size has no metrics in the end.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from agent_tuning.files import atomic_write
from agent_tuning.model import tiny_model
from tests.support import cluster_repo, slurm_cluster, smoke
from tests.support.model_hub import PublishedModels
from tests.support.slurm_cluster import SlurmCluster

RECIPE = "general_large"
COMMIT = "5" * 40  # of both models of the hub
# Widths and layers of the models of the hub, and the ranks that train each size.
SHAPES = {"wide": (96, 2), "deep": (64, 4)}
RANKS = {"tiny": (2, 2), "wide": (1, 2), "deep": (2, 1)}  # nodes, GPUs of each
GROUPS = {"en": 40, "zh": 12}
CHATS = 60  # general conversations of others
LARGE: dict[str, Any] = {
    "plan": {"groups": GROUPS, "minimum": {"en": 0, "zh": 0}},
    "import_data": {
        "sources": [
            {"name": "chats", "format": "openai", "source": "chats.jsonl", "license": "MIT"}
        ]
    },
    "render": {"max_len": 8192, "max_dropped": 1.0},  # its tokens are bytes
}


def publish(folder: Path, name: str) -> Path:
    """A model as it lies on a hub: its folder."""
    hidden, layers = SHAPES[name]
    shape = tiny_model.TinyModelConfig(
        seed=1,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
    )
    tokenizer = tiny_model.build_tokenizer()
    target = folder / name
    tiny_model.build_model(shape, tokenizer).save_pretrained(target)
    tokenizer.save_pretrained(target)
    (target / "README.md").write_text(f"---\nlicense: mit\n---\n# {name}\n")
    return target


def build_checkout(folder: Path) -> None:
    """The repository without any data, with small numbers, and two sizes more."""
    smoke.copy_repository(folder)
    smoke.shrink(folder)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["recipe"] = RECIPE
    params["recipes"][RECIPE] = smoke.merge(params["recipes"][RECIPE], LARGE)
    # A few conversations have the general part's bytes.
    params["recipes"][RECIPE]["mix"]["agent_per_general"] = 40
    tiny = params["models"]["tiny"] | {"recipe": RECIPE}
    tiny["overrides"]["build_requests"] = {"groups": {"house": 2, "bfcl": 2, "nestful": 1}}
    for name, (nodes, gpus) in RANKS.items():
        hub = {"hub": f"lab/{name}", "revision": COMMIT} if name in SHAPES else {}
        params["models"][name] = tiny | hub | {"nodes": nodes, "gpus": gpus}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True))
    # `make recipe` and `make train` edit these two as lines.
    text = (folder / "params.yaml").read_text()
    assert f"\nrecipe: {RECIPE}\n" in text
    assert "\nsizes: []\n" in text
    lines = [
        {"messages": [{"role": "user", "content": f"Tell me about the number {number}, please."},
                      {"role": "assistant", "content": f"{number} is {number - 1} and one more."}]}
        for number in range(1000, 1000 + CHATS)
    ]  # fmt: skip
    (folder / "chats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    zero3 = json.loads((folder / "slurm/zero3.json").read_text())
    zero3["zero_optimization"]["stage3_param_persistence_threshold"] = 0
    atomic_write.write_text(folder / "slurm/zero3.json", json.dumps(zero3))


class Launch:
    """One `make train SIZE=...` and the seconds at which each of its stages began."""

    def __init__(self, folder: Path, size: str, environment: dict[str, str]) -> None:
        self.size = size
        self.stages: list[tuple[float, str]] = []
        self.seconds = 0.0
        self.log = folder / f"{size}.log"
        self.process = subprocess.Popen(
            ["make", "--old-file=.venv/ready", "train", f"SIZE={size}"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, args=(time.monotonic(),))
        self.reader.start()

    def _read(self, started: float) -> None:
        assert self.process.stdout
        with open(self.log, "w", buffering=1) as log:
            for line in self.process.stdout:
                now = time.monotonic() - started
                log.write(f"{now:6.0f} {line}")
                if line.startswith("Running stage "):
                    self.stages.append((now, line.split("'")[1].rpartition(":")[2]))
        self.process.wait()
        self.seconds = time.monotonic() - started


def read_problem(folder: Path, launch: Launch) -> str | None:
    """What is wrong with a size that has ended; None if it has its metrics."""
    if launch.process.returncode:
        return f"ended with {launch.process.returncode}, see {launch.log}"
    metrics = folder / f"metrics/{launch.size}/suites/house.json"
    rates = {k: v for k, v in json.loads(metrics.read_text()).items() if "answered_rate" in k}
    if set(rates.values()) != {1}:
        return f"{metrics}: {rates}"
    return None


def run(folder: Path, slurm: SlurmCluster) -> int:
    """Start the three, wait for them, print their times; the exit status."""
    build_checkout(folder)
    published = {f"lab/{name}": publish(folder.parent / "hub", name) for name in SHAPES}
    with PublishedModels(published, COMMIT).running() as hub:
        environment = cluster_repo.environment(folder, slurm, "runs") | {
            "HF_ENDPOINT": hub,
            "HF_HOME": str(folder.parent / "hf"),
            "HF_HUB_DISABLE_XET": "1",
        }
        launches = [Launch(folder, size, environment) for size in RANKS]
        for launch in launches:
            launch.reader.join()
    problems = 0
    for launch in launches:
        nodes, gpus = RANKS[launch.size]
        print(f"{launch.size}: {nodes} x {gpus} ranks, {launch.seconds:.0f} s")
        for begun, stage in launch.stages:
            print(f"  {begun:5.0f} s  {stage}")
        if problem := read_problem(folder, launch):
            problems += 1
            print(f"  {problem}")
    print(f"load {os.getloadavg()[1]:.1f} over 5 minutes, {os.cpu_count()} CPUs")
    return 1 if problems else 0


def main(target: Path | None) -> int:
    if problem := slurm_cluster.why_unavailable():
        sys.exit(f"error: {problem}")
    with tempfile.TemporaryDirectory() as temporary, slurm_cluster.running() as slurm:
        folder = (target or Path(temporary)) / "checkout"
        folder.mkdir(parents=True)
        return run(folder, slurm)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None))
