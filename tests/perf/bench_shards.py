"""The same bytes from any number of shards: `python -m tests.perf.bench_shards [GROUPS]`.

What treats each group by itself can run in shards: `synthesize` and `diversify`. GROUPS groups are
planned (1,000 unless told otherwise), of the recipe `general_large`. For 1, 4 and 16 shards the
groups of each shard (`slurm.shards.shard_plan.shard_of`, by a hash of the id) go through the stage
in a process of their own, and are put together in the order of the plan. It prints the digest of
each, beside that of the whole file in one process, and fails if two differ.

`verify`, `add_hard_negatives`, `mix` and `render` see all groups: near-duplicates, shares of kinds
and packs depend on the others. They run in one process, in bounded memory.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.files.markdown_table import format_row
from slurm.shards.shard_plan import shard_of
from tests.perf import bench_scale

ROOT = Path(__file__).parents[2]
GROUPS = 1_000
COUNTS = (1, 4, 16)
DATA = Path("data") / bench_scale.RECIPE


class Numbered(msgspec.Struct):
    """What every line has, whatever else it has."""

    id: str


def run(folder: Path, stage: str, source: Path, target: Path) -> None:
    """One stage from `source` to `target`; its other outputs go beside the target."""
    beside = {name: str(target.with_suffix(f".{name}")) for name in ("a", "b", "c")}
    options = {
        "plan": (
            *("--catalogue", "data/catalogue", "--plan", str(target)),
            *("--coverage", beside["a"], "--metrics", beside["b"]),
        ),
        "synthesize": (
            *("--plan", str(source), "--catalogue", "data/catalogue"),
            *("--phrasing", "data/phrasing.yaml", "--replies", beside["a"]),
            *("--raw", str(target), "--failures", beside["b"], "--metrics", beside["c"]),
        ),
        "diversify": (
            *(
                "--with-negatives",
                str(source),
                "--written",
                "none.jsonl",
                "--imported",
                "none.jsonl",
            ),
            *("--held-back", "none.jsonl", "--instructions", "data/instructions.yaml"),
            *("--diverse", str(target), "--validation", beside["a"]),
        ),
    }
    command = [sys.executable, "-m", f"stages.{stage}", *options[stage]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def split(source: Path, count: int, folder: Path) -> list[Path]:
    """The lines of a file in `count` files, by their ids."""
    shards: list[list[bytes]] = [[] for _ in range(count)]
    for line in source.read_bytes().splitlines(keepends=True):
        shards[shard_of(msgspec.json.decode(line, type=Numbered).id, count)].append(line)
    paths = [folder / f"{number}.jsonl" for number in range(count)]
    for path, lines in zip(paths, shards, strict=True):
        path.write_bytes(b"".join(lines))
    return paths


def join(parts: Iterable[Path], order: Path, target: Path) -> None:
    """The lines of all parts, in the order that their ids have in `order`."""
    line_of = {
        msgspec.json.decode(line, type=Numbered).id: line
        for part in parts
        for line in part.read_bytes().splitlines(keepends=True)
    }
    ids = (one.id for one in jsonl.read(order, Numbered))
    target.write_bytes(b"".join(line_of[id] for id in ids if id in line_of))


def compute_digest(path: Path) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "blake2b").hexdigest()[:32]


def digest_in_shards(folder: Path, stage: str, source: Path, count: int) -> str:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        scratch = Path(temporary)
        made = []
        for shard in split(source, count, scratch):
            if shard.stat().st_size:
                made.append(shard.with_suffix(".made"))
                run(folder, stage, shard, made[-1])
        join(made, source, scratch / "joined")
        return compute_digest(scratch / "joined")


def list_digests(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Stage, number of shards, digest."""
    source = folder / DATA / "plan.jsonl"
    run(folder, "plan", Path(), source)
    for stage in ("synthesize", "diversify"):
        whole = folder / DATA / f"{stage}.jsonl"
        run(folder, stage, source, whole)
        yield stage, "not split", compute_digest(whole)
        for count in COUNTS:
            yield stage, str(count), digest_in_shards(folder, stage, source, count)
        source = whole


def main(groups: int = GROUPS) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench_scale.prepare(folder, groups * 5)
        (folder / "none.jsonl").write_bytes(b"")
        digests: dict[str, set[str]] = {}
        print(format_row(("stage", "shards", "digest")) + "| --- | ---: | --- |")
        for stage, count, digest in list_digests(folder):
            print(format_row((stage, count, f"`{digest}`")), end="", flush=True)
            digests.setdefault(stage, set()).add(digest)
    if any(len(of_stage) > 1 for of_stage in digests.values()):
        sys.exit("the bytes depend on the number of shards")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
