"""A suite: tools, and tasks that each ask for one decision with its gold answers.

Golds are never corrected in place: `overlays/1.jsonl`, `overlays/2.jsonl` … hold the errata that
make a version out of the one before, and the answers of a model can be scored under any of them.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Decision, Json, Language, PromptSpec, Record, Tool, Turn

# A value that an earlier call of the same answer will give: $var1.city$, or all of it, $var1$.
REFERENCE = re.compile(r"\$var(?P<call>\d+)(?:\.(?P<field>\w+))?[^$\s]*\$")
PROMPT_FIELDS = ("menu", "language", "template", "tool_format", "reply_format")


class Grouped(Protocol):
    """What stands under a prompt that its whole group shares; it has the PROMPT_FIELDS too."""

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
        if nothing := [name for name, accepted in self.arguments.items() if not accepted]:
            raise ValueError(f"argument {nothing[0]!r} accepts no value")
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
    """One decision to take, after `turns` and with the tools of `menu`."""

    id: str
    group: str  # tasks of a group share one prompt prefix
    menu: tuple[str, ...]  # keys of the suite's tools (their names) in prompt order
    language: Language
    turns: tuple[Turn, ...]
    golds: tuple[Gold, ...]  # any of them is right; the first says what the task asks for
    kind: str  # call, multi, nested, chain, or what calls for none: removed, topic, irrelevant …
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
    """A line of an overlay: the golds that a task should have had, and why."""

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
    version: int = 0  # the last overlay in it

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

    The first bad line stops with its number and field.
    """
    tools = read_tools(folder)
    read = read_grouped(folder / "tasks.jsonl", Task, lambda task: _menu_problems(task, tools))
    tasks = {task.id: task for task in read}
    overlays = list_overlays(folder)[:version]
    for overlay in overlays:
        tasks |= _corrected(overlay, tasks, tools)
    return Suite(folder.name, tools, tuple(tasks.values()), len(overlays))


def write(folder: Path, suite: Suite) -> None:
    """Write what `read` reads, errata included in the golds."""
    write_tools(folder, suite.tools)
    jsonl.write(folder / "tasks.jsonl", suite.tasks)


def write_tools(folder: Path, tools: Mapping[str, Tool]) -> None:
    entries = (
        ToolEntry(tool.name, tool.description, tool.parameters, key="" if key == tool.name else key)
        for key, tool in tools.items()
    )
    jsonl.write(folder / "tools.jsonl", entries)


def list_overlays(folder: Path) -> list[Path]:
    """In order of their versions, of which none may be missing."""
    found = {path.name: path for path in folder.glob("overlays/*")}
    names = [f"{number}.jsonl" for number in range(1, len(found) + 1)]
    for name in sorted(found.keys() - set(names)):
        raise BadInput(f"{found[name]}: expected overlays by the names {', '.join(names)}")
    return [found[name] for name in names]


def _corrected(path: Path, tasks: Mapping[str, Task], tools: Mapping[str, Tool]) -> dict[str, Task]:
    corrected: dict[str, Task] = {}
    for line, erratum in enumerate(jsonl.read(path, Erratum), 1):
        if erratum.task not in tasks or erratum.task in corrected:
            problem = "is corrected a second time" if erratum.task in tasks else "is no task here"
            raise BadInput(f"{path}:{line}: task: {erratum.task!r} {problem}")
        task = msgspec.structs.replace(tasks[erratum.task], golds=erratum.golds)
        for problem in _menu_problems(task, tools):
            raise BadInput(f"{path}:{line}: {problem}")
        corrected[task.id] = task
    return corrected


def read_tools(folder: Path) -> dict[str, Tool]:
    """By key; a key that stands twice is a BadInput."""
    path = folder / "tools.jsonl"
    tools: dict[str, Tool] = {}
    for line, entry in enumerate(jsonl.read(path, ToolEntry), 1):
        key = entry.key or entry.name
        if key in tools:
            field = "key" if entry.key else "name"
            raise BadInput(f"{path}:{line}: {field}: {key!r} is a second time here")
        tools[key] = Tool(entry.name, entry.description, entry.parameters)
    return tools


def read_grouped(path: Path, kind: type[G], problems: Callable[[G], Iterable[str]]) -> Iterator[G]:
    """The records of a file, each of its own id, under the very prompt of its group."""
    seen: set[str] = set()
    groups: dict[str, G] = {}
    for line, one in enumerate(jsonl.read(path, kind), 1):
        first = groups.setdefault(one.group, one)
        for problem in (*problems(one), *_group_problems(one, first)):
            raise BadInput(f"{path}:{line}: {problem}")
        if one.id in seen:
            raise BadInput(f"{path}:{line}: id: {one.id!r} is a second time here")
        seen.add(one.id)
        yield one


def _menu_problems(task: Task, tools: Mapping[str, Tool]) -> Iterator[str]:
    yield from (f"menu: {key!r} is not in tools.jsonl" for key in task.menu if key not in tools)
    names = {tools[key].name for key in task.menu if key in tools}
    if len(names) < len(task.menu):
        yield "menu: offers two tools of one name"
    for name in _called(task.golds):
        if name not in names:
            yield f"golds: calls {name!r}, which is not on the menu"


def _called(golds: Sequence[Gold]) -> Iterator[str]:
    return (call.name for gold in golds for call in gold.calls)


def _group_problems(one: Grouped, first: Grouped) -> Iterator[str]:
    for field in PROMPT_FIELDS:
        if getattr(one, field) != getattr(first, field):
            yield f"{field}: differs from {first.id!r} of the same group {one.group!r}"
