"""Let the teacher write the positives of every planned group.

reads   data/plan.jsonl          Request
        data/catalogue/          what the scripted teacher says and computes
        data/phrasing.yaml       its wording outside the catalogue
writes  data/replies.jsonl       Reply, appended: what a chat model was paid for (`replay` reads it)
        data/raw.jsonl           Group
        data/failures.jsonl      Failure
        metrics/synthesize.json  counts, tokens and cost

`--dry-run` says what a run would still ask and cost; `--preview N` prints N trajectories and
writes nothing.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.chat_model.usage import Usage
from agent_tuning.files import jsonl, metrics_file, yaml_records
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.teachers import (
    Failure,
    GroupRequest,
    Teacher,
    WrittenGroup,
    select,
)
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher
from agent_tuning.synthesis.teachers.select import SynthesizeConfig


def chosen(p: SynthesizeConfig, catalogue: Path, phrasing: Path, store: Path) -> Teacher:
    wording = yaml_records.read(phrasing, Phrasing)
    return select.choose_teacher(p, ScriptedTeacher(Catalogue(catalogue), wording, p.style), store)


class Tally:
    """Passes groups on, and keeps what is left to say about them."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.groups = self.trajectories = 0

    def groups_of(self, written: Iterable[WrittenGroup]) -> Iterator[Group]:
        for one in written:
            self.failures += one.failures
            self.groups += 1
            self.trajectories += len(one.group.trajectories)
            yield one.group

    def metrics(self, usage: Usage) -> Mapping[str, float | int]:
        reasons = Counter(failure.reason for failure in self.failures)
        counts = {"groups": self.groups, "trajectories": self.trajectories}
        counts |= {"failed": reasons.total()} | msgspec.structs.asdict(usage)
        return counts | {f"failed_{reason}": n for reason, n in reasons.items()}


def first(requests: Iterable[GroupRequest], count: int) -> Iterator[GroupRequest]:
    """Requests cut down to the first `count` trajectories."""
    for request in requests:
        if count <= 0:
            return
        yield msgspec.structs.replace(request, items=request.items[:count])
        count -= len(request.items)


def show(written: WrittenGroup) -> None:
    for trajectory in written.group.trajectories:
        print(f"\n{trajectory.id}")
        for turn in trajectory.turns:
            print(f"  {msgspec.json.encode(turn).decode()}")
    for failure in written.failures:
        print(f"\n{failure.id}\n  failed: {failure.reason}: {failure.detail}")


def main(
    plan: Path,
    catalogue: Path,
    phrasing: Path,
    store: Path,
    raw: Path,
    failed: Path,
    metrics: Path,
    *,
    dry_run: bool = False,
    preview: int = 0,
) -> None:
    p = config.load("synthesize", SynthesizeConfig)
    requests = jsonl.read(plan, GroupRequest)
    if preview:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / store.name  # what is paid already is not paid again
            if store.exists():
                shutil.copy(store, copy)
            for one in chosen(p, catalogue, phrasing, copy).write(first(requests, preview)):
                show(one)
        return
    teacher = chosen(p, catalogue, phrasing, store)
    if dry_run:
        left = teacher.estimate(requests).describe_estimate()
        print(f"{p.teacher}: {left} (synthesize.budget = {p.budget})")
        return
    tally = Tally()
    jsonl.write(raw, tally.groups_of(teacher.write(requests)))
    jsonl.write(failed, tally.failures)
    metrics_file.write(metrics, tally.metrics(teacher.usage))
    total = tally.trajectories + len(tally.failures)
    print(f"{raw}: {tally.groups} groups, {len(tally.failures)} of {total} trajectories failed")
    if len(tally.failures) > p.max_failed * total:
        raise BadInput(
            f"{failed}: {len(tally.failures)} of {total} trajectories failed, more than "
            f"synthesize.max_failed = {p.max_failed} allows; the file gives each reason"
        )


if __name__ == "__main__":
    cli.run(main)
