"""A suite: tools, prompts that list them, and tasks that each ask for one decision with its golds.

Golds are never corrected in place. `overlays/1.jsonl`, `overlays/2.jsonl` … hold errata, and each
makes a version out of the one before. A model's answers can be scored under any version.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Decision, Json, PromptSpec, Record, Tool, Turn
from benchmark.tasks import suite_prompts
from benchmark.tasks.suite_prompts import SuitePrompt, find_unknown_prompt

# A value from the result of an earlier call in the same answer: $var1.city$, or all of it, $var1$.
REFERENCE = re.compile(r"\$var(?P<call>\d+)(?:\.(?P<field>\w+))?[^$\s]*\$")


class GoldCall(Record, frozen=True):
    name: str
    arguments: dict[str, tuple[Json, ...]] = {}  # the accepted values of each argument
    optional: tuple[str, ...] = ()  # arguments that may be left out

    def __post_init__(self) -> None:
        if empty := [name for name, accepted in self.arguments.items() if not accepted]:
            raise ValueError(f"argument {empty[0]!r} accepts no value")
        if unknown := [name for name in self.optional if name not in self.arguments]:
            raise ValueError(f"optional argument {unknown[0]!r} has no accepted values")

    @property
    def required(self) -> set[str]:
        return self.arguments.keys() - set(self.optional)


class Gold(Record, frozen=True):
    """One right answer; `thought` is the task description."""

    decision: Decision
    thought: str = ""
    calls: tuple[GoldCall, ...] = ()

    def __post_init__(self) -> None:
        if (self.decision == "call") != bool(self.calls):
            raise ValueError(f"gold decision {self.decision} with {len(self.calls)} calls")


class Task(Record, frozen=True):
    """One decision that a model has to take, after `turns` and under a prompt of the suite."""

    id: str
    prompt: str  # the id of the prompt; tasks of one prompt are a group
    turns: tuple[Turn, ...]
    golds: tuple[Gold, ...]  # any of them is right; the first says what the task asks for
    kind: str  # call, multi, nested, chain; of tasks without a call: removed, topic, irrelevant …
    axes: dict[str, str] = {}  # query, tool, template, tool_format -> seen or unseen

    def __post_init__(self) -> None:
        if not self.golds:
            raise ValueError("golds: a task needs at least one")
        if not self.turns:
            raise ValueError("turns: a task needs at least one")

    @property
    def decision(self) -> Decision:
        return self.golds[0].decision


class Erratum(Record, frozen=True):
    """A line of an overlay: the golds that a task should have had, and the reason."""

    task: str
    golds: tuple[Gold, ...]
    reason: str

    def __post_init__(self) -> None:
        if not self.golds or not self.reason:
            raise ValueError("an erratum needs golds and a reason")


class TaskGroup(NamedTuple):
    """The tasks of one prompt."""

    prompt: SuitePrompt
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Suite:
    name: str
    tools: dict[str, Tool]  # by key, which is the name where the line gives no other
    prompts: dict[str, SuitePrompt]  # by id
    tasks: tuple[Task, ...]
    version: int = 0  # of the last overlay that was applied

    @cached_property
    def digest(self) -> str:
        """The same for the same records, in whatever order they are stored."""
        tools, prompts = sorted(self.tools.items()), sorted(self.prompts.items())
        tasks = sorted(self.tasks, key=lambda task: task.id)
        records = (*tools, *prompts, *tasks)
        lines = (msgspec.json.encode(record, order="sorted") for record in records)
        return hashlib.sha256(b"\n".join(lines)).hexdigest()

    @cached_property
    def specs(self) -> dict[str, PromptSpec]:
        """The prompts with their tools, by id."""
        return {id: prompt.resolve(self.tools) for id, prompt in self.prompts.items()}

    def prompt(self, task: Task) -> PromptSpec:
        return self.specs[task.prompt]


def join_groups(name: str, tools: dict[str, Tool], groups: Iterable[TaskGroup]) -> Suite:
    """The suite of these groups, in their order; each has another prompt."""
    prompts: dict[str, SuitePrompt] = {}
    tasks: list[Task] = []
    for group in groups:
        prompts[group.prompt.id] = group.prompt
        tasks += group.tasks
    return Suite(name, tools, prompts, tuple(tasks))


def read(folder: Path, version: int | None = None) -> Suite:
    """Read tools, prompts, tasks and the overlays up to `version`, or all of them.

    Raises BadInput with the number and field of the first bad line.
    """
    tools = suite_prompts.read_tools(folder)
    prompts = suite_prompts.read_prompts(folder, tools)
    specs = {id: prompt.resolve(tools) for id, prompt in prompts.items()}

    def find_problems(task: Task) -> Iterator[str]:
        yield from find_unknown_prompt(task.prompt, prompts)
        yield from _find_unlisted_calls(task, specs[task.prompt])

    records = suite_prompts.read_records(folder / "tasks.jsonl", Task, find_problems)
    tasks = {task.id: task for task in records}
    overlays = list_overlays(folder)[:version]
    for overlay in overlays:
        tasks |= _correct(overlay, tasks, specs)
    return Suite(folder.name, tools, prompts, tuple(tasks.values()), len(overlays))


def write(folder: Path, suite: Suite) -> None:
    """Write what `read` reads; the golds are the corrected ones, and no overlay is written."""
    suite_prompts.write_prompts(folder, suite.tools, suite.prompts)
    jsonl.write(folder / "tasks.jsonl", suite.tasks)


def list_overlays(folder: Path) -> list[Path]:
    """In order of their versions. Raises BadInput where one is missing."""
    overlays = {path.name: path for path in folder.glob("overlays/*")}
    names = [f"{number}.jsonl" for number in range(1, len(overlays) + 1)]
    for name in sorted(overlays.keys() - set(names)):
        raise BadInput(f"{overlays[name]}: expected overlays named {', '.join(names)}")
    return [overlays[name] for name in names]


def _correct(
    path: Path, tasks: Mapping[str, Task], specs: Mapping[str, PromptSpec]
) -> dict[str, Task]:
    """The tasks that an overlay corrects, by id, with their new golds."""
    corrected: dict[str, Task] = {}
    for line, erratum in enumerate(jsonl.read(path, Erratum), 1):
        if erratum.task not in tasks or erratum.task in corrected:
            problem = "has two corrections" if erratum.task in tasks else "is not in the suite"
            raise BadInput(f"{path}:{line}: task: {erratum.task!r} {problem}")
        task = msgspec.structs.replace(tasks[erratum.task], golds=erratum.golds)
        for problem in _find_unlisted_calls(task, specs[task.prompt]):
            raise BadInput(f"{path}:{line}: {problem}")
        corrected[task.id] = task
    return corrected


def _find_unlisted_calls(task: Task, prompt: PromptSpec) -> Iterator[str]:
    names = {tool.name for tool in prompt.tools}
    for call in (call for gold in task.golds for call in gold.calls):
        if call.name not in names:
            yield f"golds: calls {call.name!r}, which is not a tool of its prompt"
