"""A suite: tools, and tasks that each ask for one decision with its gold answers.

Golds are never corrected in place. `overlays/1.jsonl`, `overlays/2.jsonl` … hold errata, and each
makes a version out of the one before. A model's answers can be scored under any version.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Decision, Json, Language, PromptSpec, Record, Tool, Turn

# A value from the result of an earlier call in the same answer: $var1.city$, or all of it, $var1$.
REFERENCE = re.compile(r"\$var(?P<call>\d+)(?:\.(?P<field>\w+))?[^$\s]*\$")
PROMPT_FIELDS = ("menu", "language", "template", "tool_format", "reply_format")


class Grouped(Protocol):
    """A record of a group that shares one prompt. It has the PROMPT_FIELDS too."""

    @property
    def id(self) -> str: ...

    @property
    def group(self) -> str: ...


G = TypeVar("G", bound=Grouped)


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
    """One decision that a model has to take, after `turns` and with the tools of `menu`."""

    id: str
    group: str  # tasks of a group share one prompt prefix
    menu: tuple[str, ...]  # keys of the suite's tools (their names) in prompt order
    language: Language
    turns: tuple[Turn, ...]
    golds: tuple[Gold, ...]  # any of them is right; the first says what the task asks for
    kind: str  # call, multi, nested, chain; of tasks without a call: removed, topic, irrelevant …
    template: str = ""
    tool_format: str = ""
    reply_format: str = ""
    axes: dict[str, str] = {}  # query, tool, template, tool_format -> seen or unseen

    def __post_init__(self) -> None:
        if not self.golds:
            raise ValueError("golds: a task needs at least one")
        if not self.turns:
            raise ValueError("turns: a task needs at least one")

    @property
    def decision(self) -> Decision:
        return self.golds[0].decision

    @property
    def prompt(self) -> tuple[object, ...]:
        """What the tasks of a group have in common."""
        return tuple(getattr(self, field) for field in PROMPT_FIELDS)


class Erratum(Record, frozen=True):
    """A line of an overlay: the golds that a task should have had, and the reason."""

    task: str
    golds: tuple[Gold, ...]
    reason: str

    def __post_init__(self) -> None:
        if not self.golds or not self.reason:
            raise ValueError("an erratum has golds and a reason")


class ToolEntry(Tool, frozen=True):
    """A line of `tools.jsonl`; `key` tells apart tools that share a name, such as translations."""

    key: str = ""


@dataclass(frozen=True)
class Suite:
    name: str
    tools: dict[str, Tool]  # by key, which is the name where the line gives no other
    tasks: tuple[Task, ...]
    version: int = 0  # of the last overlay that was applied

    @cached_property
    def digest(self) -> str:
        """The same for the same records, in whatever order they are stored."""
        tools = sorted(self.tools.items())
        tasks = sorted(self.tasks, key=lambda task: task.id)
        lines = (msgspec.json.encode(record, order="sorted") for record in (*tools, *tasks))
        return hashlib.sha256(b"\n".join(lines)).hexdigest()

    def prompt(self, task: Task) -> PromptSpec:
        """The prompt that the tasks of this task's group share."""
        formats = (task.template, task.tool_format, task.reply_format)
        return PromptSpec(task.group, task.language, self.tools_of(task), *formats)

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        return tuple(self.tools[key] for key in task.menu)


def read(folder: Path, version: int | None = None) -> Suite:
    """Read `tools.jsonl`, `tasks.jsonl` and the overlays up to `version`, or all of them.

    Raises BadInput with the number and field of the first bad line.
    """
    tools = read_tools(folder)
    path = folder / "tasks.jsonl"
    grouped = read_grouped(path, Task, lambda task: _find_tool_problems(task, tools))
    tasks = {task.id: task for task in grouped}
    overlays = list_overlays(folder)[:version]
    for overlay in overlays:
        tasks |= _correct(overlay, tasks, tools)
    return Suite(folder.name, tools, tuple(tasks.values()), len(overlays))


def write(folder: Path, suite: Suite) -> None:
    """Write what `read` reads; the golds are the corrected ones, and no overlay is written."""
    write_tools(folder, suite.tools)
    jsonl.write(folder / "tasks.jsonl", suite.tasks)


def write_tools(folder: Path, tools: Mapping[str, Tool]) -> None:
    entries = (
        ToolEntry(tool.name, tool.description, tool.parameters, key="" if key == tool.name else key)
        for key, tool in tools.items()
    )
    jsonl.write(folder / "tools.jsonl", entries)


def list_overlays(folder: Path) -> list[Path]:
    """In order of their versions. Raises BadInput where one is missing."""
    overlays = {path.name: path for path in folder.glob("overlays/*")}
    names = [f"{number}.jsonl" for number in range(1, len(overlays) + 1)]
    for name in sorted(overlays.keys() - set(names)):
        raise BadInput(f"{overlays[name]}: expected overlays by the names {', '.join(names)}")
    return [overlays[name] for name in names]


def _correct(path: Path, tasks: Mapping[str, Task], tools: Mapping[str, Tool]) -> dict[str, Task]:
    """The tasks that an overlay corrects, by id, with their new golds."""
    corrected: dict[str, Task] = {}
    for line, erratum in enumerate(jsonl.read(path, Erratum), 1):
        if erratum.task not in tasks or erratum.task in corrected:
            problem = "is corrected a second time" if erratum.task in tasks else "is no task here"
            raise BadInput(f"{path}:{line}: task: {erratum.task!r} {problem}")
        task = msgspec.structs.replace(tasks[erratum.task], golds=erratum.golds)
        for problem in _find_tool_problems(task, tools):
            raise BadInput(f"{path}:{line}: {problem}")
        corrected[task.id] = task
    return corrected


def read_tools(folder: Path) -> dict[str, Tool]:
    """By key. Raises BadInput where a key occurs twice."""
    path = folder / "tools.jsonl"
    tools: dict[str, Tool] = {}
    for line, entry in enumerate(jsonl.read(path, ToolEntry), 1):
        key = entry.key or entry.name
        if key in tools:
            field = "key" if entry.key else "name"
            raise BadInput(f"{path}:{line}: {field}: {key!r} occurs a second time")
        tools[key] = Tool(entry.name, entry.description, entry.parameters)
    return tools


def read_grouped(path: Path, kind: type[G], problems: Callable[[G], Iterable[str]]) -> Iterator[G]:
    """Yield the records of a file. Their ids must be unique, and a group must share its prompt."""
    ids: set[str] = set()
    groups: dict[str, G] = {}  # the first record of each
    for line, record in enumerate(jsonl.read(path, kind), 1):
        first = groups.setdefault(record.group, record)
        for problem in (*problems(record), *_find_prompt_differences(record, first)):
            raise BadInput(f"{path}:{line}: {problem}")
        if record.id in ids:
            raise BadInput(f"{path}:{line}: id: {record.id!r} occurs a second time")
        ids.add(record.id)
        yield record


def _find_tool_problems(task: Task, tools: Mapping[str, Tool]) -> Iterator[str]:
    yield from (f"menu: {key!r} is not in tools.jsonl" for key in task.menu if key not in tools)
    names = {tools[key].name for key in task.menu if key in tools}
    if len(names) < len(task.menu):
        yield "menu: offers two tools of one name"
    for call in (call for gold in task.golds for call in gold.calls):
        if call.name not in names:
            yield f"golds: calls {call.name!r}, which is not in its menu"


def _find_prompt_differences(record: Grouped, first: Grouped) -> Iterator[str]:
    for field in PROMPT_FIELDS:
        if getattr(record, field) != getattr(first, field):
            yield f"{field}: differs from {first.id!r} of the same group {record.group!r}"
