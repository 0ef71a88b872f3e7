"""The scripted teacher: the catalogue's grammar writes the queries, simulators answer the calls.

A trajectory is right by construction: its arguments are the values in the query, and its
observations are computed.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import SLOT, LocalizedTexts, MissingArgument, Scenario
from agent_tuning.catalogue.grammar import Grammar, SlotValue, shuffle_index
from agent_tuning.catalogue.simulators import World
from agent_tuning.catalogue.split import Split
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
from agent_tuning.runtime.ranges import Seed, Share
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest, WrittenGroup

THOUGHT_PREFIXES: dict[Language, str] = {"en": "I should ", "zh": "我要"}  # before a call


class DrawnQuery(NamedTuple):
    query: str
    values: dict[str, SlotValue]


class WritingStyle(Record, frozen=True):
    """How varied the queries are and how long the conversations; shares are from 0 to 1."""

    seed: Seed
    final_reply_rate: Share  # conversations with one turn of calls that go on to the final reply
    greeting_rate: Share  # queries with a polite opener
    closing_rate: Share  # queries with a polite closer
    typo_rate: Share  # queries with a typing error


class ScriptedTeacher:
    """`phrasings` and `values` name the split of the grammar that the queries come from."""

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
        """The request's tools. The stage `diversify` chooses the template and the formats."""
        tools = tuple(self.catalogue.entries[name].tool(request.language) for name in request.tools)
        return PromptSpec(request.prompt, request.language, tools)

    def name(self, item: TrajectoryRequest, language: Language) -> str:
        """The id of a trajectory: its cell of the coverage matrix, and its number there."""
        return f"{_name_cell(item, language)}.{item.index}"

    def draw_query(self, item: TrajectoryRequest, language: Language) -> DrawnQuery:
        """The query of a trajectory, and the values in it."""
        queries = self.catalogue.scenario(item.tool, item.scenario).queries
        return self.draw(_name_cell(item, language), queries, item.tool, language, item.index)

    def has_reply(self, item: TrajectoryRequest, language: Language) -> bool:
        """Whether the conversation goes on to the final reply; a chain always does."""
        chain = self.catalogue.scenario(item.tool, item.scenario).then
        rng = random.Random(f"{self.style.seed}:reply:{self.name(item, language)}")
        return bool(chain) or rng.random() < self.style.final_reply_rate

    def write_positive(self, item: TrajectoryRequest, language: Language) -> Trajectory:
        """Query, calls with their observations, and the final reply where one is due."""
        scenario = self.catalogue.scenario(item.tool, item.scenario)
        query, values = self.draw_query(item, language)
        acted = enact_scenario(scenario, item.tool, language, values, self.catalogue.world())
        turns: list[Turn] = [User(query)]
        for decision, results in acted:
            turns += (decision, *results)
        if self.has_reply(item, language):
            observations = [result.content for _, results in acted for result in results]
            text = fill_slots(getattr(scenario.reply, language), values, observations)
            turns.append(Assistant("no_call", getattr(self.phrasing.finish, language), text=text))
        else:
            del turns[-len(acted[-1][1]) :]  # the last turn must be the model's
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
        return Trajectory(f"{cell}.{index}", turns, "missing_argument", language, tool)

    def goal(self, tool: str, scenario: Scenario, language: Language, rng: random.Random) -> str:
        """The task description of a call, with drawn values."""
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
        """The `index`-th query of a cell; no two queries of a cell are equal.

        Phrasings take turns. A sentence repeats only after all sentences were used, and then with
        another polite phrase. Raises BadInput when those are used up too.
        """
        phrasings = self.grammar.phrasings(queries, language)
        turn, chosen = divmod(index, len(phrasings))
        phrasing = phrasings[chosen]
        total = self.grammar.count_sentences(phrasing, tool, language)
        repetition, turn = divmod(turn, total)
        seed = f"{self.style.seed}:{cell}.{chosen}"
        number = shuffle_index(turn, total, seed)
        values = self.grammar.values(phrasing, tool, language, number)
        rng = random.Random(f"{seed}.{turn}")
        query = fill_slots(self._add_typo(phrasing, rng), values)
        frames = self._list_polite_frames(language)
        if repetition >= len(frames):
            raise BadInput(f"{cell}: only {index} different queries; add phrasings")
        opener, closer = frames[(self._draw_frame(language, rng) + repetition) % len(frames)]
        return DrawnQuery(opener + query + closer, values)

    def _add_typo(self, phrasing: str, rng: random.Random) -> str:
        """Sometimes swap two letters of a word; never in a slot: its value must be found again."""
        if rng.random() >= self.style.typo_rate:
            return phrasing
        words = phrasing.split(" ")
        plain = [i for i, word in enumerate(words) if re.fullmatch(r"[A-Za-z]{5,}", word)]
        if plain:
            index = rng.choice(plain)
            word, at = words[index], rng.randrange(1, len(words[index]) - 2)
            words[index] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return " ".join(words)

    def _list_polite_frames(self, language: Language) -> list[tuple[str, str]]:
        """Pairs of an opener and a closer; both are empty in the first."""
        openers, closers = self._list_polite_phrases(language)
        return [(opener, closer) for opener in openers for closer in closers]

    def _draw_frame(self, language: Language, rng: random.Random) -> int:
        """The index of a frame, as often polite as the style asks for."""
        openers, closers = self._list_polite_phrases(language)
        opener = rng.randrange(1, len(openers)) if rng.random() < self.style.greeting_rate else 0
        closer = rng.randrange(1, len(closers)) if rng.random() < self.style.closing_rate else 0
        return opener * len(closers) + closer

    def _list_polite_phrases(self, language: Language) -> tuple[Sequence[str], Sequence[str]]:
        openers, closers = self.phrasing.openers, self.phrasing.closers
        return ("", *getattr(openers, language)), ("", *getattr(closers, language))


def _name_cell(item: TrajectoryRequest, language: Language) -> str:
    return f"{item.tool}.{item.scenario}.{language}"


def enact_scenario(
    scenario: Scenario,
    tool: str,
    language: Language,
    values: Mapping[str, SlotValue],
    world: World,
) -> list[tuple[Assistant, tuple[ToolResult, ...]]]:
    """A scenario's turns, each with the results of its calls in that world, which they change."""
    turns: list[tuple[Assistant, tuple[ToolResult, ...]]] = []
    observations: list[dict[str, Json]] = []
    for goal, steps in scenario.turns(tool):
        calls = tuple(
            Call(step.tool, _fill_argument(step.arguments, values, observations)) for step in steps
        )
        task = fill_slots(getattr(goal, language), values, observations)
        thought = build_call_thought(task, language)
        results = tuple(ToolResult(call.name, world.observe(call)) for call in calls)
        observations += (result.content for result in results)
        turns.append((Assistant("call", thought, calls), results))
    return turns


def fill_slots(
    text: str, values: Mapping[str, SlotValue], observations: Sequence[Mapping[str, Json]] = ()
) -> str:
    """The text with `{slots}` and `{1.fields}` replaced by the words that people use for them."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if "." not in name:
            return values[name].text
        step, field = name.split(".")
        return str(observations[int(step) - 1][field])

    return SLOT.sub(fill, text)


def build_call_thought(goal: str, language: Language) -> str:
    """The thought before a call: the task description, and no tool's name.

    All thoughts start with the same words. Greedy decoding takes the likeliest token, and of ten
    openings that share the probability none would be likely.
    """
    return format_thought(THOUGHT_PREFIXES[language] + goal, language)


def strip_thought_prefix(thought: str) -> str:
    """The task description in the thought before a call; of any other thought the whole text."""
    for prefix in THOUGHT_PREFIXES.values():
        if thought.startswith(prefix):
            return thought.removeprefix(prefix).rstrip(".。")
    return thought[:1].lower() + thought[1:].rstrip(".。")


def format_thought(goal: str, language: Language) -> str:
    """A task description as a whole sentence."""
    return goal + "。" if language == "zh" else goal[:1].upper() + goal[1:] + "."


def _fill_argument(
    argument: Json, values: Mapping[str, SlotValue], observations: Sequence[Mapping[str, Json]]
) -> Json:
    """A literal, the value of a slot, or a field of an earlier observation.

    Lists and objects are filled item by item.
    """
    if isinstance(argument, list):
        return [_fill_argument(item, values, observations) for item in argument]
    if isinstance(argument, dict):
        return {name: _fill_argument(item, values, observations) for name, item in argument.items()}
    if not isinstance(argument, str):
        return argument
    reference = SLOT.fullmatch(argument)
    if reference is None:
        return fill_slots(argument, values, observations)
    name = reference.group(1)
    if "." not in name:
        return values[name].value
    step, field = name.split(".")
    return observations[int(step) - 1][field]
