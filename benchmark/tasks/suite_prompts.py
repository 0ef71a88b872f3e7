"""The prompts of a suite: its tools, and which of them each prompt lists in which formats."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from agent_tuning.files import jsonl
from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import AnyPrompt, BadInput, PromptSpec, Tool


class ToolEntry(Tool, frozen=True):
    """A line of `tools.jsonl`; `key` tells apart tools that share a name, such as translations."""

    key: str = ""


class SuitePrompt(AnyPrompt[str], frozen=True):
    """A line of `prompts.jsonl`: a PromptSpec with keys of tools in place of the tools."""

    def resolve(self, tools: Mapping[str, Tool]) -> PromptSpec:
        """The prompt with the tools that its keys stand for."""
        return PromptSpec(
            id=self.id,
            language=self.language,
            tools=tuple(tools[key] for key in self.tools),
            template=self.template,
            tool_format=self.tool_format,
            reply_format=self.reply_format,
            instructions=self.instructions,
        )


class Identified(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Identified)


def read_tools(folder: Path) -> dict[str, Tool]:
    """By key, which is the name where the line gives no other. A key must be unique."""
    path = folder / "tools.jsonl"
    tools: dict[str, Tool] = {}
    for line, entry in enumerate(jsonl.read(path, ToolEntry), 1):
        key = entry.key or entry.name
        if key in tools:
            field = "key" if entry.key else "name"
            raise BadInput(f"{path}:{line}: {field}: {key!r} is a duplicate")
        tools[key] = Tool(entry.name, entry.description, entry.parameters)
    return tools


def read_prompts(
    folder: Path,
    tools: Mapping[str, Tool],
    find_problems: Callable[[PromptSpec], Iterable[str]] = lambda _: (),
) -> dict[str, SuitePrompt]:
    """By id. `find_problems` may find more of them in a prompt whose tools are known."""

    def find(prompt: SuitePrompt) -> Iterator[str]:
        yield from _find_prompt_problems(prompt, tools)
        yield from find_problems(prompt.resolve(tools))

    path = folder / "prompts.jsonl"
    return {prompt.id: prompt for prompt in read_records(path, SuitePrompt, find)}


def write_prompts(
    folder: Path, tools: Mapping[str, Tool], prompts: Mapping[str, SuitePrompt]
) -> None:
    """Write `tools.jsonl` and `prompts.jsonl`."""
    entries = (
        ToolEntry(tool.name, tool.description, tool.parameters, key="" if key == tool.name else key)
        for key, tool in tools.items()
    )
    jsonl.write(folder / "tools.jsonl", entries)
    jsonl.write(folder / "prompts.jsonl", prompts.values())


def read_records(
    path: Path, kind: type[R], find_problems: Callable[[R], Iterable[str]]
) -> Iterator[R]:
    """Yield the records of a file, whose ids must be unique; the first problem is raised."""
    ids: set[str] = set()
    for line, record in enumerate(jsonl.read(path, kind), 1):
        for problem in find_problems(record):
            raise BadInput(f"{path}:{line}: {problem}")
        if record.id in ids:
            raise BadInput(f"{path}:{line}: id: {record.id!r} is a duplicate")
        ids.add(record.id)
        yield record


def find_unknown_prompt(prompt: str, prompts: Mapping[str, SuitePrompt]) -> Iterator[str]:
    if prompt not in prompts:
        yield f"prompt: {prompt!r} is not in prompts.jsonl"


def _find_prompt_problems(prompt: SuitePrompt, tools: Mapping[str, Tool]) -> Iterator[str]:
    yield from (f"tools: {key!r} is not in tools.jsonl" for key in prompt.tools if key not in tools)
    if len({tools[key].name for key in prompt.tools}) < len(prompt.tools):
        yield "tools: two tools have the same name"
    if prompt.native:
        return
    if prompt.native_problem:
        yield prompt.native_problem
    if not prompt.template:
        yield "template: expected a name"
    if prompt.tool_format not in TOOL_FORMATS:
        yield f"tool_format: {_describe_unknown(prompt.tool_format, TOOL_FORMATS)}"
    if prompt.reply_format not in REPLY_FORMATS:
        yield f"reply_format: {_describe_unknown(prompt.reply_format, REPLY_FORMATS)}"


def _describe_unknown(name: str, formats: Iterable[str]) -> str:
    return f"unknown format {name!r}; available: {', '.join(formats)}"
