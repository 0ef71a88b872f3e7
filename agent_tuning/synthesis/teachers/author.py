"""How a chat model writes a trajectory: first a query, then one decision after another.

The author is plain code over `answer`, which gives a question's reply or raises `Missing`. A live
run, a batch, a replay and an estimate are the same code over another `answer`: each starts from
the beginning and goes as far as the answers reach, so nothing is kept between two questions.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.simulators import World
from agent_tuning.chat_model.messages import Ask, Message, Reply, UnusableReply
from agent_tuning.prompts import system_prompt
from agent_tuning.records import (
    Assistant,
    Call,
    Decision,
    Group,
    Json,
    Language,
    Record,
    Tool,
    ToolResult,
    Trajectory,
    Turn,
    User,
)
from agent_tuning.synthesis.teachers import Failure, GroupRequest, TrajectoryRequest, WrittenGroup
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, fill_slots

T = TypeVar("T")
Answer = Callable[[Ask], Reply]

LANGUAGE_NAMES: dict[Language, str] = {"en": "English", "zh": "Chinese"}


class QueryAnswer(Record, frozen=True):
    query: str


class DecisionAnswer(Record, frozen=True):
    """A decision in the model's own JSON; what it leaves out is empty."""

    decision: Decision
    thought: str = ""
    calls: tuple[Call, ...] = ()
    text: str = ""


QUERY_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
    "additionalProperties": False,
}


def build_decision_schema(tools: Sequence[Tool]) -> dict[str, Json]:
    """`arguments` are held to the schema of the very tool that is called."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": tool.parameters},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    fields: dict[str, Json] = {
        "decision": {"enum": ["call", "no_call", "ask"]},
        "thought": {"type": "string"},
        "calls": {"type": "array", "items": {"anyOf": calls}},
        "text": {"type": "string"},
    }
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


class Author:
    """Cells, facts and lengths are the scripted teacher's; the words and decisions the model's."""

    def __init__(self, scripted: ScriptedTeacher) -> None:
        self.scripted = scripted
        self.catalogue = scripted.catalogue

    def group(self, request: GroupRequest, answer: Answer) -> WrittenGroup:
        """What the answers make of a request; an unusable one costs its trajectory only."""
        tools = self.scripted.prompt(request).tools
        kept: list[Trajectory] = []
        failures: list[Failure] = []
        for item in request.items:
            try:
                kept.append(self.write_positive(item, request.language, tools, answer))
            except UnusableReply as error:
                name = self.scripted.name(item, request.language)
                failures.append(Failure(name, request.id, error.reason, error.detail))
        group = Group(request.id, self.scripted.prompt(request), tuple(kept))
        return WrittenGroup(group, tuple(failures))

    def write_positive(
        self, item: TrajectoryRequest, language: Language, tools: Sequence[Tool], answer: Answer
    ) -> Trajectory:
        """Raises Unusable where an answer does not serve, and what `answer` raises."""
        name = self.scripted.name(item, language)
        scenario = self.catalogue.scenario(item.tool, item.scenario)
        planned = [sorted(step.tool for step in turn.steps) for turn in scenario.turns(item.tool)]
        turns: list[Turn] = [User(self._query(item, language, name, answer))]
        called: list[list[str]] = []
        world = self.catalogue.world()
        while True:
            turn = _decide(f"{name} decision {len(called) + 1}", turns, language, tools, answer)
            turns.append(turn)
            if turn.calls:
                called.append(sorted(call.name for call in turn.calls))
            if not _on_plan(turn, called, planned):
                raise UnusableReply("off_plan", f"{turn.decision} after {called}, not {planned}")
            if not turn.calls or (called == planned and not self.scripted.replies(item, language)):
                break
            turns += _observed(turn.calls, world)
        return Trajectory(name, tuple(turns), scenario.kind, language, item.tool, item.scenario)

    def scripted_answers(self, item: TrajectoryRequest, language: Language) -> Iterator[str]:
        """What a perfect model would answer: the scripted trajectory in a model's JSON."""
        for turn in self.scripted.write_positive(item, language).turns:
            if isinstance(turn, User):
                yield _json(QueryAnswer(turn.text))
            elif isinstance(turn, Assistant):
                yield _spelt(turn)

    def _query(self, item: TrajectoryRequest, language: Language, name: str, answer: Answer) -> str:
        scenario = self.catalogue.scenario(item.tool, item.scenario)
        draw = self.scripted.drawn(item, language)
        facts = [value.said for value in draw.values.values()]
        tool, *later = [
            self.catalogue.entries[step.tool].tool(language) for step in scenario.steps(item.tool)
        ]
        wording = system_prompt.fill_template(
            "teacher/query",
            language=LANGUAGE_NAMES[language],
            goal=fill_slots(getattr(scenario.goal, language), draw.values),
            tool=tool,
            then=later if scenario.then else [],
            also=later if scenario.also else [],
            example=draw.query,
            facts=facts,
        )
        ask = Ask(f"{name} query", (Message("user", wording),), QUERY_SCHEMA)
        query = _read(answer(ask), QueryAnswer).query.strip()
        absent = [fact for fact in facts if fact.casefold() not in query.casefold()]
        if absent or not query:
            raise UnusableReply("facts_left_out", f"{absent} of {query!r}")
        return query


def _decide(
    name: str, turns: Sequence[Turn], language: Language, tools: Sequence[Tool], answer: Answer
) -> Assistant:
    menu = "\n".join(map(_json, tools))
    wording = system_prompt.fill_template(
        "teacher/decision", language=LANGUAGE_NAMES[language], tools=menu
    )
    messages = (Message("system", wording), *map(_message, turns))
    decided = _read(answer(Ask(name, messages, build_decision_schema(tools))), DecisionAnswer)
    thought = " ".join(decided.thought.split())
    try:
        turn = Assistant(decided.decision, thought, decided.calls, decided.text)
    except ValueError as error:
        raise UnusableReply("malformed", str(error)) from error
    for call in turn.calls:
        if problem := schema.find_call_problem(call, tools):
            raise UnusableReply(*problem.split(": ", 1))
    return turn


def _on_plan(turn: Assistant, called: list[list[str]], planned: list[list[str]]) -> bool:
    """The planned tools, turn by turn, a reply after all of them, and no question."""
    if turn.calls:
        return called == planned[: len(called)]
    return turn.decision == "no_call" and called == planned


def _message(turn: Turn) -> Message:
    if isinstance(turn, User):
        return Message("user", turn.text)
    if isinstance(turn, Assistant):
        return Message("assistant", _spelt(turn))
    content = _json(turn.content)
    return Message(
        "user", system_prompt.fill_template("teacher/observation", name=turn.name, content=content)
    )


def _spelt(turn: Assistant) -> str:
    return _json(DecisionAnswer(turn.decision, turn.thought, turn.calls, turn.text))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _read(reply: Reply, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(reply.text(), type=kind)
    except msgspec.DecodeError as error:
        raise UnusableReply("malformed", f"{error} in {reply.content[:200]!r}") from error


def _observed(calls: Sequence[Call], world: World) -> list[ToolResult]:
    """The simulators' results; raises Unusable if a call fits its schema and is impossible."""
    try:
        return [ToolResult(call.name, world.observe(call)) for call in calls]
    except (ArithmeticError, LookupError, ValueError) as error:
        raise UnusableReply("impossible", str(error)) from error
