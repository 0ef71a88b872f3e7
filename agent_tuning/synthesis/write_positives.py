"""Writing the positives of every planned group: the teacher, a count of its work, a preview."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.chat_model.usage import Usage
from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime.visible_text import show_controls
from agent_tuning.synthesis.teachers import Failure, GroupRequest, Teacher, WrittenGroup
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher
from agent_tuning.synthesis.teachers.select import SynthesizeConfig, choose_teacher


def build_teacher(
    config: SynthesizeConfig,
    chat: ChatModelConfig,
    catalogue: Path,
    phrasing: Path,
    store: Path,
) -> Teacher:
    """The teacher that `config` names, over a catalogue folder, phrasing.yaml and answer store."""
    wording = yaml_records.read(phrasing, Phrasing)
    scripted = ScriptedTeacher(Catalogue(catalogue), wording, config.style)
    return choose_teacher(config, chat, scripted, store)


def print_preview(
    config: SynthesizeConfig,
    chat: ChatModelConfig,
    catalogue: Path,
    phrasing: Path,
    store: Path,
    requests: Iterable[GroupRequest],
    count: int,
) -> None:
    """Print the first `count` trajectories.

    The store is copied: answers in it are not paid for again, and it stays as it is.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / store.name
        if store.exists():
            shutil.copy(store, copy)
        teacher = build_teacher(config, chat, catalogue, phrasing, copy)
        for written in teacher.write(take_first(requests, count)):
            for line in format_written(written):
                print(show_controls(line, kept="\n"))


def take_first(requests: Iterable[GroupRequest], count: int) -> Iterator[GroupRequest]:
    """Requests cut down to the first `count` trajectories."""
    for request in requests:
        if count <= 0:
            return
        yield msgspec.structs.replace(request, items=request.items[:count])
        count -= len(request.items)


def format_written(written: WrittenGroup) -> Iterator[str]:
    """Lines that show each trajectory turn by turn, and each failure with its reason."""
    for trajectory in written.group.trajectories:
        yield f"\n{trajectory.id}"
        for turn in trajectory.turns:
            yield f"  {msgspec.json.encode(turn).decode()}"
    for failure in written.failures:
        yield f"\n{failure.id}\n  failed: {failure.reason}: {failure.detail}"


class SynthesisTally:
    """Counts groups, trajectories and failures while the groups are written."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.groups = self.trajectories = 0

    def count_groups(self, written_groups: Iterable[WrittenGroup]) -> Iterator[Group]:
        """The groups as they come, each counted when it passes."""
        for written in written_groups:
            self.failures += written.failures
            self.groups += 1
            self.trajectories += len(written.group.trajectories)
            yield written.group

    @property
    def requested(self) -> int:
        """Trajectories written and failed."""
        return self.trajectories + len(self.failures)

    def metrics(self, usage: Usage) -> Mapping[str, float | int]:
        reasons = Counter(failure.reason for failure in self.failures)
        counts = {"groups": self.groups, "trajectories": self.trajectories}
        counts |= {"failed": reasons.total()} | msgspec.structs.asdict(usage)
        return counts | {f"failed_{reason}": n for reason, n in reasons.items()}

    def check_failures(self, max_failed: float, failures_file: Path) -> None:
        """Raise BadInput if more than a share of `max_failed` (0-1) failed."""
        if len(self.failures) > max_failed * self.requested:
            raise BadInput(
                f"{failures_file}: {len(self.failures)} of {self.requested} trajectories failed, "
                f"more than synthesize.max_failed = {max_failed} allows; the file gives each reason"
            )
