"""Queries that lack a required argument, and the dialogues that go on to the call.

A phrasing without a slot whose values are held out is the same sentence in training and here. So
of those only the held-out phrasing is used, and a tool that has no others is asked about less.
"""

import random
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import SLOT, LocalizedTexts, MissingArgument, Scenario
from agent_tuning.catalogue.split import take_split
from agent_tuning.records import Assistant, Trajectory, User
from agent_tuning.synthesis.teachers.scripted import (
    DrawnQuery,
    ScriptedTeacher,
    enact_scenario,
    fill_slots,
)

# How a user answers the question back; {value} is what was missing.
ANSWERS = (
    "{value}",
    "{value}, please.",
    "Oh, sorry: {value}.",
    "I mean {value}.",
    "{value}, then.",
)


class Opening(NamedTuple):
    """A query that lacks an argument of a tool, and the axis that its phrasing is of."""

    axis: str
    tool: str
    missing: MissingArgument
    drawn: DrawnQuery


class QuestionDrawer:
    """Draws openings tool by tool. No sentence recurs more often than the caller allows."""

    def __init__(self, catalogue: Catalogue, teachers: dict[str, ScriptedTeacher]) -> None:
        self.catalogue = catalogue
        self.teachers = teachers
        self.uses: Counter[tuple[str, str]] = Counter()  # of a tool and an axis

    def draw_openings(self, repetitions: int, completed: bool) -> Iterator[Opening]:
        """Tools in turn, until every sentence has been drawn `repetitions` times in all.

        With `completed`, only openings that an answer makes one of the tool's scenarios.
        """
        lists = {tool: self._list_phrasings(tool, completed) for tool in self.catalogue.entries}
        while lists:
            for tool, phrasings in list(lists.items()):
                used = {
                    axis: self._share_used(axis, tool, of_axis)
                    for axis, of_axis in phrasings.items()
                }
                axis = min(used, key=lambda axis: used[axis], default="")
                if axis and used[axis] < repetitions:
                    yield self._draw(axis, tool, phrasings[axis])
                else:
                    del lists[tool]

    def _draw(self, axis: str, tool: str, queries: LocalizedTexts) -> Opening:
        missing = self.catalogue.entries[tool].missing
        assert missing is not None
        index = self.uses[tool, axis]
        self.uses[tool, axis] += 1
        cell = f"{tool}.missing.en.{axis}"
        drawn = self.teachers[axis].draw(cell, queries, tool, "en", index)
        return Opening(axis, tool, missing, drawn)

    def _list_phrasings(self, tool: str, completed: bool) -> dict[str, LocalizedTexts]:
        """By axis, where there are any; each list is split by the teacher of its axis as usual."""
        missing = self.catalogue.entries[tool].missing
        if missing is None:
            return {}
        held_out = take_split(missing.queries.en, "held_out", 1)
        slots = self.catalogue.domain_of[tool].slots
        trained = [
            text
            for text in take_split(missing.queries.en, "train", 1)
            # Named values are too few to hold any out.
            if any(not isinstance(slots[name], tuple) for name in SLOT.findall(text))
        ]
        if completed:
            trained, held_out = (
                [text for text in texts if self.find_scenario(tool, set(SLOT.findall(text)))]
                for texts in (trained, held_out)
            )
        lists = {"unseen": held_out and (*trained, *held_out), "seen": trained and (*trained, "")}
        return {axis: LocalizedTexts(en=tuple(texts)) for axis, texts in lists.items() if texts}

    def _share_used(self, axis: str, tool: str, queries: LocalizedTexts) -> float:
        """How often each sentence was drawn, on average."""
        grammar = self.teachers[axis].grammar
        texts = grammar.phrasings(queries, "en")
        sentences = sum(grammar.count_sentences(text, tool, "en") for text in texts)
        return self.uses[tool, axis] / sentences

    def find_scenario(self, tool: str, said: set[str]) -> Scenario | None:
        """The single call whose slots are those that were said and those of the argument."""
        for scenario in self.catalogue.entries[tool].scenarios:
            absent = self.list_absent_slots(tool, scenario)
            needed = set(SLOT.findall(msgspec.json.encode(scenario.arguments).decode()))
            if scenario.kind == "call" and said.isdisjoint(absent) and said | set(absent) == needed:
                return scenario
        return None

    def list_absent_slots(self, tool: str, scenario: Scenario) -> list[str]:
        """The slots of the argument that the tool's openings lack, in order."""
        missing = self.catalogue.entries[tool].missing
        assert missing is not None
        value = scenario.arguments.get(missing.argument)
        return SLOT.findall(msgspec.json.encode(value).decode())

    def answer(self, opening: Opening, rng: random.Random) -> Trajectory:
        """Opening, question back, the user's answer, and the call with what both messages say."""
        tool, (query, values) = opening.tool, opening.drawn
        scenario = self.find_scenario(tool, set(values))
        assert scenario is not None
        wanted = " and ".join(f"{{{slot}}}" for slot in self.list_absent_slots(tool, scenario))
        grammar = self.teachers[opening.axis].grammar
        number = rng.randrange(grammar.count_sentences(wanted, tool, "en"))
        answered = grammar.values(wanted, tool, "en", number)
        text = rng.choice(ANSWERS).replace("{value}", fill_slots(wanted, answered))
        said = {**values, **answered}
        (decision, _), *_ = enact_scenario(scenario, tool, "en", said, self.catalogue.world())
        turns = (User(query), self.ask(opening), User(text), decision)
        return Trajectory(f"{tool}.follow_up", turns, "follow_up", "en", tool, scenario.name)

    def ask(self, opening: Opening) -> Assistant:
        """The question back."""
        return Assistant("ask", text=fill_slots(opening.missing.ask.en, opening.drawn.values))
