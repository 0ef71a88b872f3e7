"""The scripted teacher: the catalogue's grammar asks, the simulators answer.

A trajectory is right by construction: its arguments are what the query says, its observations are
computed.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import SLOT, LocalizedTexts, MissingArgument, Scenario
from agent_tuning.catalogue.grammar import Grammar, SlotValue, Split, shuffle_index
from agent_tuning.catalogue.simulators import World
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import (
    Assistant,
    BadInput,
    Call,
    Group,
    Json,
    Language,
    PromptSpec,
    Record,
    ToolResult,
    Trajectory,
    Turn,
    User,
)
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest, WrittenGroup

THOUGHT_PREFIXES: dict[Language, str] = {"en": "I should ", "zh": "我要"}  # of an `intent`


class DrawnQuery(NamedTuple):
    query: str
    values: dict[str, SlotValue]


class WritingStyle(Record, frozen=True):
    """How varied the queries are and how long the exchanges; shares in 0-1."""

    seed: int
    replies: float  # exchanges with one turn of calls that go on to the final reply
    opened: float  # queries with a polite opener
    closed: float  # queries with a polite closer
    mistyped: float  # queries with a typing error


class ScriptedTeacher:
    """`phrasings` and `values` say from which part of the grammar the queries come."""

    def __init__(
        self,
        catalogue: Catalogue,
        phrasing: Phrasing,
        style: WritingStyle,
        phrasings: Split = "train",
        values: Split = "train",
    ) -> None:
        self.catalogue = catalogue
        self.phrasing = phrasing
        self.style = style
        self.usage = Usage()
        self.grammar = Grammar(catalogue, phrasings, values)

    def write(self, requests: Iterable[GroupRequest]) -> Iterator[WrittenGroup]:
        return (WrittenGroup(self.group(request)) for request in requests)

    def estimate(self, requests: Iterable[GroupRequest]) -> Usage:  # noqa: ARG002
        return Usage()  # nothing is asked and nothing costs

    def group(self, request: GroupRequest) -> Group:
        trajectories = tuple(self.write_positive(item, request.language) for item in request.items)
        return Group(request.id, self.prompt(request), trajectories)

    def prompt(self, request: GroupRequest) -> PromptSpec:
        """The request's tools; its template and formats are chosen later."""
        tools = tuple(self.catalogue.entries[name].tool(request.language) for name in request.tools)
        return PromptSpec(request.prompt, request.language, tools)

    def name(self, item: TrajectoryRequest, language: Language) -> str:
        """The id of a trajectory: its cell of the coverage matrix, and which one of it."""
        return f"{_cell(item, language)}.{item.index}"

    def drawn(self, item: TrajectoryRequest, language: Language) -> DrawnQuery:
        """The query of an item, and what it says."""
        queries = self.catalogue.scenario(item.tool, item.scenario).queries
        return self.draw(_cell(item, language), queries, item.tool, language, item.index)

    def replies(self, item: TrajectoryRequest, language: Language) -> bool:
        """Does the exchange go on to the final reply? A chain always does."""
        chain = self.catalogue.scenario(item.tool, item.scenario).then
        rng = random.Random(f"{self.style.seed}:reply:{self.name(item, language)}")
        return bool(chain) or rng.random() < self.style.replies

    def write_positive(self, item: TrajectoryRequest, language: Language) -> Trajectory:
        """Query, calls with their observations, and the final reply where one is due."""
        scenario = self.catalogue.scenario(item.tool, item.scenario)
        query, values = self.drawn(item, language)
        decided = enact_scenario(scenario, item.tool, language, values, self.catalogue.world())
        turns: list[Turn] = [User(query)]
        for decision, seen in decided:
            turns += (decision, *seen)
        results = [result.content for _, seen in decided for result in seen]
        if self.replies(item, language):
            text = fill_slots(getattr(scenario.reply, language), values, results)
            turns.append(Assistant("no_call", getattr(self.phrasing.finish, language), text=text))
        else:
            del turns[-len(decided[-1][1]) :]  # the last turn must be the model's
        return Trajectory(
            id=self.name(item, language),
            turns=tuple(turns),
            kind=scenario.kind,
            language=language,
            tool=item.tool,
            scenario=item.scenario,
        )

    def write_missing_argument(
        self, tool: str, missing: MissingArgument, language: Language, index: int
    ) -> Trajectory:
        """A query that lacks a required argument, and the question that asks for it."""
        cell = f"{tool}.missing.{language}"
        query, values = self.draw(cell, missing.queries, tool, language, index)
        thought = format_thought(fill_slots(getattr(missing.goal, language), values), language)
        question = fill_slots(getattr(missing.ask, language), values)
        turns = (User(query), Assistant("ask", thought, text=question))
        return Trajectory(f"{cell}.{index}", turns, "missing", language, tool)

    def goal(self, tool: str, scenario: Scenario, language: Language, rng: random.Random) -> str:
        """What a call would do, in words, with drawn values."""
        goal = getattr(scenario.goal, language)
        number = rng.randrange(self.grammar.count_sentences(goal, tool, language))
        return fill_slots(goal, self.grammar.values(goal, tool, language, number))

    def draw(
        self,
        cell: str,
        queries: LocalizedTexts,
        tool: str,
        language: Language,
        index: int,
    ) -> DrawnQuery:
        """The `index`-th query of a cell; no two of them are equal.

        Phrasings take turns. Words recur only when all were said, with another polite phrase then.
        """
        phrasings = self.grammar.phrasings(queries, language)
        turn, chosen = divmod(index, len(phrasings))
        total = self.grammar.count_sentences(phrasings[chosen], tool, language)
        again, turn = divmod(turn, total)
        seed = f"{self.style.seed}:{cell}.{chosen}"
        number = shuffle_index(turn, total, seed)
        values = self.grammar.values(phrasings[chosen], tool, language, number)
        rng = random.Random(f"{seed}.{turn}")
        query = fill_slots(self._mistyped(phrasings[chosen], rng), values)
        dressings = self._dressings(language)
        if again >= len(dressings):
            raise BadInput(f"{cell}: only {index} different queries; add phrasings")
        before, after = dressings[(self._dressing(language, rng) + again) % len(dressings)]
        return DrawnQuery(before + query + after, values)

    def _mistyped(self, phrasing: str, rng: random.Random) -> str:
        """Sometimes swap two letters in a word; never in a slot, which must stay grounded."""
        if rng.random() >= self.style.mistyped:
            return phrasing
        words = phrasing.split(" ")
        plain = [i for i, word in enumerate(words) if re.fullmatch(r"[A-Za-z]{5,}", word)]
        if plain:
            index = rng.choice(plain)
            word, at = words[index], rng.randrange(1, len(words[index]) - 2)
            words[index] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return " ".join(words)

    def _dressings(self, language: Language) -> list[tuple[str, str]]:
        """What may stand before and after a query; the first leaves it bare."""
        openers, closers = self._polite(language)
        return [(before, after) for before in openers for after in closers]

    def _dressing(self, language: Language, rng: random.Random) -> int:
        """The place of a dressing, as often polite as the style says."""
        openers, closers = self._polite(language)
        before = rng.randrange(1, len(openers)) if rng.random() < self.style.opened else 0
        after = rng.randrange(1, len(closers)) if rng.random() < self.style.closed else 0
        return before * len(closers) + after

    def _polite(self, language: Language) -> tuple[Sequence[str], Sequence[str]]:
        openers, closers = self.phrasing.openers, self.phrasing.closers
        return ("", *getattr(openers, language)), ("", *getattr(closers, language))


def _cell(item: TrajectoryRequest, language: Language) -> str:
    return f"{item.tool}.{item.scenario}.{language}"


def enact_scenario(
    scenario: Scenario,
    tool: str,
    language: Language,
    values: Mapping[str, SlotValue],
    world: World,
) -> list[tuple[Assistant, tuple[ToolResult, ...]]]:
    """A scenario's turns, each with what its calls observe in that world, which they change."""
    turns: list[tuple[Assistant, tuple[ToolResult, ...]]] = []
    results: list[dict[str, Json]] = []
    for goal, steps in scenario.turns(tool):
        calls = tuple(Call(step.tool, _given(step.arguments, values, results)) for step in steps)
        thought = build_call_thought(fill_slots(getattr(goal, language), values, results), language)
        seen = tuple(ToolResult(call.name, world.observe(call)) for call in calls)
        results += (result.content for result in seen)
        turns.append((Assistant("call", thought, calls), seen))
    return turns


def fill_slots(
    text: str, values: Mapping[str, SlotValue], results: Sequence[Mapping[str, Json]] = ()
) -> str:
    """Fill a text's references in with what people say."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if "." not in name:
            return values[name].said
        step, field = name.split(".")
        return str(results[int(step) - 1][field])

    return SLOT.sub(fill, text)


def build_call_thought(goal: str, language: Language) -> str:
    """The thought before a call: the task's description, and no tool's name.

    All of them start alike, since greedy decoding takes the likeliest token: of ten openings that
    share the mass none is it.
    """
    return format_thought(THOUGHT_PREFIXES[language] + goal, language)


def strip_thought_prefix(thought: str) -> str:
    """The goal of an `intent`, as a part of a sentence; of any other thought the whole of it."""
    for start in THOUGHT_PREFIXES.values():
        if thought.startswith(start):
            return thought.removeprefix(start).rstrip(".。")
    return thought[:1].lower() + thought[1:].rstrip(".。")


def format_thought(goal: str, language: Language) -> str:
    """A goal as a thought."""
    return goal + "。" if language == "zh" else goal[:1].upper() + goal[1:] + "."


def _given(
    value: Json, values: Mapping[str, SlotValue], results: Sequence[Mapping[str, Json]]
) -> Json:
    """An argument: a literal, what a slot gives, or a field of an earlier observation.

    Lists and objects are filled in item by item.
    """
    if isinstance(value, list):
        return [_given(item, values, results) for item in value]
    if isinstance(value, dict):
        return {name: _given(item, values, results) for name, item in value.items()}
    reference = SLOT.fullmatch(value) if isinstance(value, str) else None
    if reference is None:
        return fill_slots(value, values, results) if isinstance(value, str) else value
    name = reference.group(1)
    if "." not in name:
        return values[name].given
    step, field = name.split(".")
    return results[int(step) - 1][field]
