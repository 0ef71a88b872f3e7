"""How a chat model writes a trajectory: first a query, then one decision after another.

A conversation is a generator: it yields a question, gets the reply, and returns the trajectory. A
live run, a batch, a replay and an estimate follow the same generator and differ only in where
replies come from. Each starts at the beginning and goes as far as there are replies, so nothing is
kept in memory between two questions.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
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
Conversation = Generator[Ask, Reply, T]

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
    """Conversations by a chat model: the scripted teacher gives cells, facts and lengths.

    The words and the decisions are the model's.
    """

    def __init__(self, scripted: ScriptedTeacher) -> None:
        self.scripted = scripted
        self.catalogue = scripted.catalogue

    def write_group(self, request: GroupRequest, answer: Callable[[Ask], Reply]) -> WrittenGroup:
        """The group that the answers give; an unusable answer fails its own trajectory only."""
        prompt = self.scripted.prompt(request)
        trajectories: list[Trajectory] = []
        failures: list[Failure] = []
        for item in request.items:
            try:
                trajectory = self.write_positive(item, request.language, prompt.tools, answer)
                trajectories.append(trajectory)
            except UnusableReply as error:
                name = self.scripted.name(item, request.language)
                failures.append(Failure(name, request.id, error.reason, error.detail))
        return WrittenGroup(Group(request.id, prompt, tuple(trajectories)), tuple(failures))

    def write_positive(
        self,
        item: TrajectoryRequest,
        language: Language,
        tools: Sequence[Tool],
        answer: Callable[[Ask], Reply],
    ) -> Trajectory:
        """Raises UnusableReply at the first answer of no use, and whatever `answer` raises."""
        outcome = follow(self.converse(item, language, tools), answer)
        assert isinstance(outcome, Trajectory)  # this `answer` gives a reply to every question
        return outcome

    def find_unanswered(
        self, request: GroupRequest, item: TrajectoryRequest, answer: Callable[[Ask], Reply | None]
    ) -> Ask | None:
        """The first question of a trajectory without an answer; None if it needs no more.

        A trajectory with an unusable answer needs no more: it is counted when it is written.
        """
        tools = self.scripted.prompt(request).tools
        try:
            outcome = follow(self.converse(item, request.language, tools), answer)
        except UnusableReply:
            return None
        return outcome if isinstance(outcome, Ask) else None

    def converse(
        self, item: TrajectoryRequest, language: Language, tools: Sequence[Tool]
    ) -> Conversation[Trajectory]:
        """Yields one question after another and returns the trajectory of the replies."""
        name = self.scripted.name(item, language)
        scenario = self.catalogue.scenario(item.tool, item.scenario)
        planned = [sorted(step.tool for step in turn.steps) for turn in scenario.turns(item.tool)]
        query = yield from self._ask_query(item, language, name)
        turns: list[Turn] = [User(query)]
        called: list[list[str]] = []
        world = self.catalogue.world()
        while True:
            decision = f"{name} decision {len(called) + 1}"
            turn = yield from _ask_decision(decision, turns, language, tools)
            turns.append(turn)
            if turn.calls:
                called.append(sorted(call.name for call in turn.calls))
            if not _is_on_plan(turn, called, planned):
                raise UnusableReply("off_plan", f"{turn.decision} after {called}, not {planned}")
            if not turn.calls or (
                called == planned and not self.scripted.has_reply(item, language)
            ):
                break
            turns += _observe_calls(turn.calls, world)
        return Trajectory(name, tuple(turns), scenario.kind, language, item.tool, item.scenario)

    def scripted_answers(self, item: TrajectoryRequest, language: Language) -> Iterator[str]:
        """What a perfect model would answer: the scripted trajectory in a model's JSON."""
        for turn in self.scripted.write_positive(item, language).turns:
            if isinstance(turn, User):
                yield _write_json(QueryAnswer(turn.text))
            elif isinstance(turn, Assistant):
                yield _write_decision(turn)

    def _ask_query(
        self, item: TrajectoryRequest, language: Language, name: str
    ) -> Conversation[str]:
        scenario = self.catalogue.scenario(item.tool, item.scenario)
        drawn = self.scripted.draw_query(item, language)
        facts = [value.text for value in drawn.values.values()]
        tool, *later = [
            self.catalogue.entries[step.tool].tool(language) for step in scenario.steps(item.tool)
        ]
        instructions = system_prompt.fill_template(
            "teacher/query",
            language=LANGUAGE_NAMES[language],
            goal=fill_slots(getattr(scenario.goal, language), drawn.values),
            tool=tool,
            then=later if scenario.then else [],
            also=later if scenario.also else [],
            example=drawn.query,
            facts=facts,
        )
        reply = yield Ask(f"{name} query", (Message("user", instructions),), QUERY_SCHEMA)
        query = _read_reply(reply, QueryAnswer).query.strip()
        absent = [fact for fact in facts if fact.casefold() not in query.casefold()]
        if absent or not query:
            raise UnusableReply("facts_left_out", f"{absent} of {query!r}")
        return query


def follow(
    conversation: Conversation[Trajectory], answer: Callable[[Ask], Reply | None]
) -> Trajectory | Ask:
    """Answer the questions of a conversation; the first one without an answer ends it."""
    reply: Reply | None = None
    while True:
        try:
            ask = next(conversation) if reply is None else conversation.send(reply)
        except StopIteration as end:
            trajectory: Trajectory = end.value
            return trajectory
        reply = answer(ask)
        if reply is None:
            return ask


def _ask_decision(
    name: str, turns: Sequence[Turn], language: Language, tools: Sequence[Tool]
) -> Conversation[Assistant]:
    instructions = system_prompt.fill_template(
        "teacher/decision",
        language=LANGUAGE_NAMES[language],
        tools="\n".join(map(_write_json, tools)),
    )
    messages = (Message("system", instructions), *map(_write_message, turns))
    reply = yield Ask(name, messages, build_decision_schema(tools))
    decided = _read_reply(reply, DecisionAnswer)
    thought = " ".join(decided.thought.split())
    try:
        turn = Assistant(decided.decision, thought, decided.calls, decided.text)
    except ValueError as error:
        raise UnusableReply("malformed", str(error)) from error
    for call in turn.calls:
        if problem := schema.find_call_problem(call, tools):
            raise UnusableReply(*problem.split(": ", 1))
    return turn


def _is_on_plan(turn: Assistant, called: list[list[str]], planned: list[list[str]]) -> bool:
    """The planned tools, turn by turn, a reply after all of them, and no question."""
    if turn.calls:
        return called == planned[: len(called)]
    return turn.decision == "no_call" and called == planned


def _write_message(turn: Turn) -> Message:
    if isinstance(turn, User):
        return Message("user", turn.text)
    if isinstance(turn, Assistant):
        return Message("assistant", _write_decision(turn))
    content = _write_json(turn.content)
    return Message(
        "user", system_prompt.fill_template("teacher/observation", name=turn.name, content=content)
    )


def _write_decision(turn: Assistant) -> str:
    return _write_json(DecisionAnswer(turn.decision, turn.thought, turn.calls, turn.text))


def _write_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _read_reply(reply: Reply, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(reply.text(), type=kind)
    except msgspec.DecodeError as error:
        raise UnusableReply("malformed", f"{error} in {reply.content[:200]!r}") from error


def _observe_calls(calls: Sequence[Call], world: World) -> list[ToolResult]:
    """The simulators' results; raises UnusableReply if a call fits its schema but is impossible."""
    try:
        return [ToolResult(call.name, world.observe(call)) for call in calls]
    except (ArithmeticError, LookupError, ValueError) as error:
        raise UnusableReply("impossible", str(error)) from error
