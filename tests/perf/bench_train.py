"""Training side by side: `python -m tests.perf.bench_train [MIXED [GROUPS [REPEATS [NAME...]]]]`.

The same trajectories of the file MIXED, token by token, through four trainers and a bare loop, in
alternating order, from the same real weights (data/base), in the same precision and optimizer:

    padded   Hugging Face's Trainer, rows of a batch padded to the longest
    trl      TRL's SFTTrainer, packing by best fit decreasing; loss on the assistant's tokens
    plain    ours, plain packs
    shared   ours, shared-prefix packs
    bare     a PyTorch loop over the packs of `shared`

The metric is supervised tokens per CPU second of the call of `train`, which a busy machine does not
stretch. The number of threads is that of params.yaml unless OMP_NUM_THREADS is set.
"""

import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from agent_tuning.files import jsonl
from agent_tuning.model.loss import attach_loss_head, supervised_loss
from agent_tuning.model.shared_prefix_attention import SHARED_PREFIX
from agent_tuning.records import Group
from agent_tuning.runtime import config
from agent_tuning.runtime.cpu import configure_threads, has_bf16
from agent_tuning.tokens import pack_file, packing
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.render import RenderConfig, encode_groups
from agent_tuning.tokens.token_store import TokenStore
from agent_tuning.training.dataset import IGNORED, PackDataset, collate
from agent_tuning.training.trainer import TrainConfig, build_trainer

ROOT = Path(__file__).parents[2]
BASE = Path("data/base")
ROWS = 4  # of a padded batch: about as many trajectories as a pack holds
Start = Callable[[], object]


def pack_groups(mixed: Path, count: int, folder: Path) -> dict[str, datasets.Dataset]:
    """The first `count` groups with tools, packed in every way."""
    p = config.load("render", RenderConfig, ROOT / "params.yaml", "general")
    chat = ChatTokenizer(BASE / "tokenizer.json")
    packs = {}
    for kind in packing.PACKINGS:
        with tempfile.TemporaryFile() as file:
            store = TokenStore(file)
            groups = islice((group for group in jsonl.read(mixed, Group) if group.tools), count)
            lengths = encode_groups(groups, chat, p.weights, store)
            bins = packing.plan_packs(lengths, kind, p.max_len, p.seed)
            pack_file.write(
                folder / kind, (packing.build_pack(members, store.read) for members in bins)
            )
        cache = str(folder / "cache")
        packs[kind] = datasets.Dataset.from_parquet(str(folder / kind), cache_dir=cache)
    return packs


def shared_arguments(p: TrainConfig, folder: Path) -> dict[str, Any]:
    """Arguments of the two other trainers that make them train as ours does."""
    return {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": has_bf16(),
        "num_train_epochs": 1,
        "learning_rate": p.learning_rate,
        "weight_decay": p.weight_decay,
        "max_grad_norm": p.max_grad_norm,
        "optim": "adamw_torch_fused",
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "report_to": "none",
    }


def load_model(base: Path, attention: str = "sdpa") -> Any:
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, attn_implementation=attention, local_files_only=True
    )
    model.config.use_cache = False
    return model


def label_rows(rows: datasets.Dataset) -> datasets.Dataset:
    """The packs as other trainers read them: input_ids, and labels in place of weights."""
    return rows.map(
        lambda row: {
            "input_ids": row["ids"],
            "labels": [
                token if weight else IGNORED
                for token, weight in zip(row["ids"], row["weights"], strict=True)
            ],
        },
        remove_columns=rows.column_names,
    )


def padded(rows: datasets.Dataset, base: Path, p: TrainConfig, folder: Path) -> Start:
    tokenizer = AutoTokenizer.from_pretrained(base)
    trainer = Trainer(
        model=load_model(base),
        args=TrainingArguments(**shared_arguments(p, folder), per_device_train_batch_size=ROWS),
        train_dataset=label_rows(rows),
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer.train


def trl(rows: datasets.Dataset, base: Path, p: TrainConfig, folder: Path) -> Start:
    length = config.load("render", RenderConfig, ROOT / "params.yaml", "general").max_len
    trainer = SFTTrainer(
        model=load_model(base),
        args=SFTConfig(
            **shared_arguments(p, folder),
            per_device_train_batch_size=1,
            packing=True,
            packing_strategy="bfd",
            max_length=length,
            gradient_checkpointing=False,
        ),
        train_dataset=label_rows(rows),
        processing_class=AutoTokenizer.from_pretrained(base),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer.train


def ours(rows: datasets.Dataset, base: Path, p: TrainConfig, folder: Path) -> Start:
    zero3 = ROOT / "slurm/zero3.json"
    trainer, _ = build_trainer(p, PackDataset(rows, 1, p.seed), base, folder, zero3)
    return trainer.train


def bare(rows: datasets.Dataset, base: Path, p: TrainConfig, _: Path) -> Start:
    network = load_model(base, SHARED_PREFIX)
    attach_loss_head(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=p.learning_rate, weight_decay=p.weight_decay, fused=True
    )

    def loop() -> None:
        network.train()
        for row in PackDataset(rows, 1, p.seed):
            batch = collate([row])
            targets = batch.pop("labels")[0, 1:]
            weights = batch.pop("weights")
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
                loss = supervised_loss(network, batch, targets, weights) / len(targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), p.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()

    return loop


def main(
    mixed: str = "data/general/mixed.jsonl", count: str = "4", repeats: str = "3", *names: str
) -> None:
    p = config.load("train", TrainConfig, ROOT / "params.yaml", "general")
    configure_threads(p.threads)
    datasets.disable_progress_bars()
    warnings.simplefilter("ignore")  # TRL fears that attention sees the other rows of a pack
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = pack_groups(Path(mixed), int(count), folder)
        supervised = sum(weight != 0 for row in rows["none"] for weight in row["weights"])
        starts = {
            "padded": partial(padded, rows["none"]),
            "trl": partial(trl, rows["none"]),
            "plain": partial(ours, rows["plain"]),
            "shared": partial(ours, rows["shared"]),
            "bare": partial(bare, rows["shared"]),
        }
        cpu_seconds: dict[str, list[float]] = {name: [] for name in names or starts}
        for repeat in range(int(repeats)):
            for name in list(cpu_seconds)[:: -1 if repeat % 2 else 1]:
                start = starts[name](BASE, p, folder / f"{name}{repeat}")
                before = time.process_time()
                start()
                cpu_seconds[name].append(time.process_time() - before)
                print(f"{repeat} {name:7} {cpu_seconds[name][-1]:7.1f} s", flush=True)
    precision = "bf16 products" if has_bf16() else "float32"
    threads = torch.get_num_threads()
    sizes = ", ".join(f"{sum(map(len, packs['ids']))} {kind}" for kind, packs in rows.items())
    print(f"tokens: {supervised} supervised; {sizes}")
    print(f"{precision}, {threads} threads, {os.uname().machine}")
    for name, each in cpu_seconds.items():
        rates = [
            supervised / seconds for seconds in (statistics.median(each), max(each), min(each))
        ]
        print(f"{name:7} {rates[0]:7.1f} supervised tokens/s  ({rates[1]:.1f} to {rates[2]:.1f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
