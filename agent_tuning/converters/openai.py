"""OpenAI `messages` with tool calls, as its fine-tuning reads them: `weight: 0` is not trained.

Results belong to calls by id, in whatever order they come. The older `function_call` is one call,
and a refusal is the text of an answer. Reasoning beside a reply is its thought.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import msgspec

from agent_tuning.converters import row_fields, row_parts, rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.documents import build_openai_tool
from agent_tuning.records import Assistant, Call, Group, Json, ToolResult, Turn, User

# What only a reply says, and what only a result says.
OF_REPLIES = ("tool_calls", "function_call", "refusal", "reasoning_content", "reasoning")
OF_RESULTS = ("tool_call_id", "name")


class Function(msgspec.Struct):
    name: str
    arguments: str | dict[str, Json] | None = None


class ToolCall(msgspec.Struct):
    function: Function
    id: str | None = None
    type: Literal["function"] = "function"
    IGNORED: ClassVar = frozenset({"index"})


class Part(msgspec.Struct):
    type: Literal["text", "refusal"] = "text"
    text: str = ""
    refusal: str = ""


class Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | list[Part] | dict[str, Json] | None = None  # an object only as a result
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    weight: Literal[0, 1] | None = None
    function_call: Function | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    name: str | None = None  # of a tool, in its result
    IGNORED: ClassVar = frozenset({"id"})

    @property
    def text(self) -> str:
        """What is said; a refusal is said in place of an answer, or after it."""
        content = "" if isinstance(self.content, dict) else self.content or ""
        if isinstance(content, list):
            content = "".join(part.text + part.refusal for part in content)
        return _join_texts("\n\n", content, self.refusal)

    @property
    def thought(self) -> str:
        return _join_texts(" ", self.reasoning_content, self.reasoning)


class Row(msgspec.Struct, omit_defaults=True):
    messages: list[Message]
    tools: list[dict[str, Json] | str] | str | None = None
    facets: str = ""
    functions: list[dict[str, Json] | str] | str | None = None  # the older name of `tools`
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW | {
        *("parallel_tool_calls", "tool_choice", "function_call", "temperature", "max_tokens")
    }


def write(group: Group) -> Row:
    messages: list[Message] = []
    if group.prompt.instructions:
        messages.append(Message("system", group.prompt.instructions))
    for number, step in enumerate(rows.split_steps(rows.only_trajectory(group))):
        if step.user_text is not None:
            messages.append(Message("user", step.user_text))
        decision = step.decision
        calls = [
            ToolCall(Function(call.name, format_json(call.arguments)), f"call_{number}_{n}")
            for n, call in enumerate(decision.calls)
        ]
        # An answer may be empty; beside calls there is no text at all.
        text = row_parts.join_thought(decision) if not calls or decision.thought else None
        weight: Literal[0] | None = None if decision.trained else 0
        messages.append(Message("assistant", text, calls or None, weight=weight))
        for call, result in zip(calls, step.results, strict=False):
            messages.append(
                Message("tool", row_parts.write_observation(result.content), tool_call_id=call.id)
            )
    tools: list[dict[str, Json] | str] = [build_openai_tool(tool) for tool in group.tools]
    return Row(messages, tools, rows.write_facets(group))


def read(row: Row) -> Group:
    ours = bool(row.facets)
    if row.tools and row.functions:
        raise ValueError("functions: expected either tools or functions, found both")
    tools = row_parts.read_tools(row.tools or row.functions, ours)
    return rows.build_group(read_turns(row.messages), tools, row.facets)


def read_turns(messages: Sequence[Message]) -> Iterator[Turn | rows.System]:
    """The turns of messages. Raises ValueError with place and problem."""
    open_calls = _OpenCalls()
    for number, message in enumerate(messages):
        place = f"messages.{number}"
        _refuse_fields_of_others(message, place)
        if message.role in ("tool", "function"):
            open_calls.answer(message, place)
            continue
        yield from open_calls.close(place)
        match message.role:
            case "system" | "developer":
                yield rows.System(message.text)
            case "user":
                yield User(message.text)
            case "assistant":
                turn = _read_assistant(message, place)
                open_calls.open(turn.calls, message.tool_calls or [], place)
                yield turn
            case role:
                raise ValueError(f"{place}.role: unknown role {role!r}")
    yield from open_calls.close("messages: the end", complete=False)


def _join_texts(between: str, *texts: str | None) -> str:
    """The texts, each once: some sets have the same in two fields."""
    return between.join(dict.fromkeys(filter(None, texts)))


def _refuse_fields_of_others(message: Message, place: str) -> None:
    """Raise ValueError for a field that would be lost, as the name of one of several users."""
    is_result = message.role in ("tool", "function")
    if isinstance(message.content, dict) and not is_result:
        raise ValueError(f"{place}.content: expected a text, found an object")
    for field in (*OF_REPLIES, *OF_RESULTS):
        expected = message.role == "assistant" if field in OF_REPLIES else is_result
        if not (expected or row_fields.says_nothing(getattr(message, field))):
            problem = f"expected none in a message of role {message.role}"
            ignore = f"if it means nothing here, use --ignore messages.{field}"
            raise ValueError(f"{place}.{field}: {problem}; {ignore}")


def _read_assistant(message: Message, place: str) -> Assistant:
    functions = [(call.function, f"{place}.tool_calls.{n}")
                 for n, call in enumerate(message.tool_calls or [])]  # fmt: skip
    if message.function_call:
        functions.append((message.function_call, f"{place}.function_call"))
    trained = message.weight != 0
    text = message.text
    if message.thought:
        text = f"<think>{row_parts.collapse_spaces(message.thought)}</think>\n{text}"
    if functions:
        calls = [_read_call(function, at) for function, at in functions]
        return row_parts.build_call_turn(text, calls, trained)
    return row_parts.build_answer(text, trained)


def _read_call(function: Function, place: str) -> Call:
    return row_parts.read_call({"name": function.name, "arguments": function.arguments}, place)


class _OpenCalls:
    """The calls of one turn, until each has its result."""

    def __init__(self) -> None:
        self._calls: Sequence[Call] = ()
        self._ids: list[str | None] = []
        self._results: dict[int, ToolResult] = {}

    def open(self, calls: Sequence[Call], listed: Sequence[ToolCall], place: str) -> None:
        self._calls, self._results = calls, {}
        self._ids = [call.id for call in listed] or [None] * len(calls)
        named = [id for id in self._ids if id is not None]
        if len(set(named)) < len(named):
            raise ValueError(f"{place}.tool_calls: two calls have the same id")

    def answer(self, message: Message, place: str) -> None:
        """Give a result to the call that it names."""
        number = self._find_call(message, place)
        if number in self._results:
            raise ValueError(f"{place}: a second result of {self._calls[number].name}")
        told = message.content
        value = told if isinstance(told, dict) else row_parts.read_observation(message.text)
        self._results[number] = ToolResult(self._calls[number].name, value)

    def close(self, place: str, complete: bool = True) -> Iterator[ToolResult]:
        """The results in the order of the calls: all, or none where a set has no results."""
        if self._results and complete and len(self._results) < len(self._calls):
            missing = next(n for n in range(len(self._calls)) if n not in self._results)
            raise ValueError(f"{place}: no result of {self._calls[missing].name} before it")
        yield from (self._results[number] for number in sorted(self._results))
        self._calls, self._ids, self._results = (), [], {}

    def _find_call(self, message: Message, place: str) -> int:
        if message.tool_call_id is not None:
            if message.tool_call_id not in self._ids:
                problem = f"no call {message.tool_call_id!r} before it"
                raise ValueError(f"{place}.tool_call_id: {problem}")
            return self._ids.index(message.tool_call_id)
        of_name = [n for n, call in enumerate(self._calls) if call.name == message.name]
        if len(self._calls) == 1 and (of_name or message.name is None):
            return 0
        if len(of_name) != 1:
            raise ValueError(f"{place}.tool_call_id: expected the id of one of the calls before it")
        return of_name[0]
