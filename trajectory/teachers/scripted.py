"""The scripted teacher: the catalogue's grammar asks, the simulators answer.

A trajectory is right by construction: its arguments are what the query says, its observations are
computed. The last phrasing of every list and a quarter of every slot's values are held out, so
that the benchmark can ask what training never said.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from trajectory.catalogue import SLOT, Catalogue, Missing, Named, Range, Scenario, Slot, Texts
from trajectory.phrasing import Phrasing
from trajectory.records import (
    Assistant,
    BadInput,
    Call,
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
from trajectory.teachers import Item, Request, Usage, Written

T = TypeVar("T")
Part = Literal["train", "held_out"]

TRIES = 200  # redraws before a cell counts as exhausted


class Value(NamedTuple):
    """What a slot stands for: what people say, and what the tool is given."""

    said: str
    given: Json


class Draw(NamedTuple):
    query: str
    values: dict[str, Value]


class Style(Record, frozen=True):
    """How varied the queries are and how long the exchanges; shares in 0-1."""

    seed: int
    replies: float  # simple exchanges that go on to the final reply
    opened: float  # queries with a polite opener
    closed: float  # queries with a polite closer
    mistyped: float  # queries with a typing error


class Scripted:
    """`phrasings` and `values` say from which part of the grammar the queries come."""

    def __init__(
        self,
        catalogue: Catalogue,
        phrasing: Phrasing,
        style: Style,
        phrasings: Part = "train",
        values: Part = "train",
    ) -> None:
        self.catalogue = catalogue
        self.phrasing = phrasing
        self.style = style
        self.phrasings: Part = phrasings
        self.values: Part = values
        self.usage = Usage()
        self._draws: dict[str, list[Draw]] = {}

    def write(self, requests: Iterable[Request]) -> Iterator[Written]:
        return (Written(self.group(request)) for request in requests)

    def estimate(self, requests: Iterable[Request]) -> Usage:  # noqa: ARG002
        return Usage()  # nothing is asked and nothing costs

    def group(self, request: Request) -> Group:
        return Group(
            id=request.id,
            language=request.language,
            tools=self.menu(request),
            trajectories=tuple(self.positive(item, request.language) for item in request.items),
        )

    def menu(self, request: Request) -> tuple[Tool, ...]:
        return tuple(self.catalogue.entries[name].tool(request.language) for name in request.menu)

    def name(self, item: Item, language: Language) -> str:
        """The id of a trajectory: its cell of the coverage matrix, and which one of it."""
        return f"{_cell(item, language)}.{item.index}"

    def drawn(self, item: Item, language: Language) -> Draw:
        """The query of an item, and what it says."""
        queries = self.catalogue.scenario(item.tool, item.scenario).queries
        return self.draw(_cell(item, language), queries, item.tool, language, item.index)

    def replies(self, item: Item, language: Language) -> bool:
        """Does the exchange go on to the final reply? A chain always does."""
        chain = self.catalogue.scenario(item.tool, item.scenario).then
        rng = random.Random(f"{self.style.seed}:reply:{self.name(item, language)}")
        return bool(chain) or rng.random() < self.style.replies

    def positive(self, item: Item, language: Language) -> Trajectory:
        """Query, calls with their observations, and the final reply where one is due."""
        scenario = self.catalogue.scenario(item.tool, item.scenario)
        query, values = self.drawn(item, language)
        turns: list[Turn] = [User(query)]
        results: list[dict[str, Json]] = []
        world = self.catalogue.world()
        for step in scenario.steps(item.tool):
            arguments = {name: _given(v, values, results) for name, v in step.arguments.items()}
            call = Call(step.tool, arguments)
            thought = sentence(said(getattr(step.goal, language), values, results), language)
            results.append(world.observe(call))
            turns += [Assistant("call", thought, (call,)), ToolResult(step.tool, results[-1])]
        if self.replies(item, language):
            text = said(getattr(scenario.reply, language), values, results)
            turns.append(Assistant("no_call", getattr(self.phrasing.finish, language), text=text))
        else:
            turns.pop()  # the last turn must be the model's
        return Trajectory(
            id=self.name(item, language),
            turns=tuple(turns),
            kind="chain" if scenario.then else "call",
            language=language,
            tool=item.tool,
            scenario=item.scenario,
        )

    def asking(self, tool: str, missing: Missing, language: Language, index: int) -> Trajectory:
        """A query that lacks a required argument, and the question that asks for it."""
        cell = f"{tool}.missing.{language}"
        query, values = self.draw(cell, missing.queries, tool, language, index)
        thought = sentence(said(getattr(missing.goal, language), values), language)
        question = said(getattr(missing.ask, language), values)
        turns = (User(query), Assistant("ask", thought, text=question))
        return Trajectory(f"{cell}.{index}", turns, "missing", language, tool)

    def goal(self, tool: str, scenario: Scenario, language: Language, rng: random.Random) -> str:
        """What a call would do, in words, with drawn values."""
        goal = getattr(scenario.goal, language)
        return said(goal, self._values(goal, tool, language, rng))

    def draw(
        self,
        cell: str,
        queries: Texts,
        tool: str,
        language: Language,
        index: int,
    ) -> Draw:
        """The `index`-th query of a cell; no two of them are equal."""
        drawn = self._draws.setdefault(cell, [])
        phrasings = part(getattr(queries, language), self.phrasings, 1)
        seen = {draw.query for draw in drawn}
        while len(drawn) <= index:
            for attempt in range(TRIES):
                rng = random.Random(f"{self.style.seed}:{cell}.{len(drawn)}.{attempt}")
                phrasing = phrasings[(len(drawn) + attempt) % len(phrasings)]
                values = self._values(phrasing, tool, language, rng)
                query = said(self._mistyped(phrasing, rng), values)
                query = self._dressed(query, language, rng)
                if query not in seen:
                    break
            else:
                raise BadInput(f"{cell}: only {len(drawn)} different queries; add phrasings")
            seen.add(query)
            drawn.append(Draw(query, values))
        return drawn[index]

    def _values(
        self, text: str, tool: str, language: Language, rng: random.Random
    ) -> dict[str, Value]:
        """A drawn value for every slot of a text."""
        slots = self.catalogue.domain_of[tool].slots
        names = dict.fromkeys(SLOT.findall(text))
        return {name: _value(slots[name], language, self.values, rng) for name in names}

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

    def _dressed(self, query: str, language: Language, rng: random.Random) -> str:
        if rng.random() < self.style.opened:
            query = rng.choice(getattr(self.phrasing.openers, language)) + query
        if rng.random() < self.style.closed:
            query = query + rng.choice(getattr(self.phrasing.closers, language))
        return query


def _cell(item: Item, language: Language) -> str:
    return f"{item.tool}.{item.scenario}.{language}"


def part(values: Sequence[T], which: Part, held_out: int) -> Sequence[T]:
    """The training part of a list, or its last `held_out` entries."""
    return values[-held_out:] if which == "held_out" else values[:-held_out]


def said(text: str, values: Mapping[str, Value], results: Sequence[Mapping[str, Json]] = ()) -> str:
    """Fill a text's references in with what people say."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if "." not in name:
            return values[name].said
        step, field = name.split(".")
        return str(results[int(step) - 1][field])

    return SLOT.sub(fill, text)


def sentence(goal: str, language: Language) -> str:
    """A goal as a thought."""
    return goal + "。" if language == "zh" else goal[:1].upper() + goal[1:] + "."


def _given(value: Json, values: Mapping[str, Value], results: Sequence[Mapping[str, Json]]) -> Json:
    """An argument: a literal, what a slot gives, or a field of an earlier observation.

    Lists and objects are filled in item by item.
    """
    if isinstance(value, list):
        return [_given(item, values, results) for item in value]
    if isinstance(value, dict):
        return {name: _given(item, values, results) for name, item in value.items()}
    reference = SLOT.fullmatch(value) if isinstance(value, str) else None
    if reference is None:
        return said(value, values, results) if isinstance(value, str) else value
    name = reference.group(1)
    if "." not in name:
        return values[name].given
    step, field = name.split(".")
    return results[int(step) - 1][field]


def _value(slot: Slot, language: Language, which: Part, rng: random.Random) -> Value:
    if isinstance(slot, Range):
        return _number(slot, which, rng)
    if isinstance(slot, Texts):
        words = getattr(slot, language)
        word = rng.choice(part(words, which, max(1, len(words) // 4)))
        return Value(word, word)
    named: Named = rng.choice(slot)  # too few to hold any out
    return Value(getattr(named, language), named.value)


def _number(numbers: Range, which: Part, rng: random.Random) -> Value:
    """Every fourth number of a range is held out."""
    count = round((numbers.stop - numbers.start) / numbers.step) + 1
    indices = [index for index in range(count) if (index % 4 == 3) == (which == "held_out")]
    number = numbers.start + rng.choice(indices or [0]) * numbers.step
    number = round(number, 6)
    return Value(str(number), number)
