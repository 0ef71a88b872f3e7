"""Hard negatives: queries that look as if they needed a tool and need none.

Each kind is a generator of candidates for one group; the first that is new is taken.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from agent_tuning.catalogue.entries import SLOT, Scenario
from agent_tuning.catalogue.grammar import Part, part
from agent_tuning.records import Assistant, Group, Language, ToolResult, Trajectory, User
from agent_tuning.synthesis.teachers import Item
from agent_tuning.synthesis.teachers.scripted import Scripted, goal_of

Kind = Callable[["Negatives", Group, random.Random], Iterator[Trajectory]]

TRIED = 200  # positives whose query is tried with another menu; one of them is still unused
LONGEST = 200  # characters of an observation that is talked about


class Wish(NamedTuple):
    """A positive's query and what its call would do."""

    id: str
    query: str
    goal: str


class Negatives:
    """What the kinds draw from. `of_which` is the part of the remarks and wordings in use."""

    def __init__(
        self,
        teacher: Scripted,
        positives: Iterable[Trajectory],
        everyday: Sequence[Trajectory],
        of_which: Part = "train",
    ) -> None:
        self.teacher = teacher
        self.catalogue = teacher.catalogue
        self.phrasing = teacher.phrasing
        self.everyday = everyday  # general conversation, with replies
        self.of_which: Part = of_which
        self.wishes: dict[tuple[Language, str], list[Wish]] = defaultdict(list)
        for one in positives:  # whose tool may be taken away from a menu
            if one.kind == "call":
                self.wishes[one.language, one.tool].append(Wish(one.id, one.query, _goal(one)))
        for wishes in self.wishes.values():
            wishes.sort()
        # The same grammar, whose exchanges all go on to the reply.
        self.talker = Scripted(
            self.catalogue,
            self.phrasing,
            msgspec.structs.replace(teacher.style, replies=1.0),
            teacher.grammar.which_phrasings,
            teacher.grammar.which_values,
        )


def topic(source: Negatives, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """Talk about the subject of a tool on the menu."""
    language = group.language
    thought = getattr(source.phrasing.topic.thought, language)
    remarks = [
        (tool.name, remark)
        for tool in group.tools
        for remark in part(source.catalogue.entries[tool.name].remarks, source.of_which, 1)
    ]
    for tool, remark in rng.sample(remarks, len(remarks)):
        reply = getattr(remark.reply, language)
        yield _declined(group, "topic", tool, getattr(remark.query, language), thought, reply)


def removed(source: Negatives, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """A positive's own query whose tool is not on this menu, though a sibling of it is."""
    language = group.language
    menu = {tool.name for tool in group.tools}
    absent = [
        (name, source.wishes[language, name])
        for name, entry in source.catalogue.entries.items()
        if name not in menu and menu & set(entry.siblings) and (language, name) in source.wishes
    ]
    starts = [0, *accumulate(len(wishes) for _, wishes in absent)]
    for number in rng.sample(range(starts[-1]), min(TRIED, starts[-1])):
        place = bisect_right(starts, number) - 1
        tool, wishes = absent[place]
        wish = wishes[number - starts[place]]
        thought = getattr(source.phrasing.removed.thought, language).replace("{goal}", wish.goal)
        reply = getattr(source.phrasing.removed.reply, language).replace("{goal}", wish.goal)
        yield _declined(group, "removed", tool, wish.query, thought, reply)


def missing(source: Negatives, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """A required argument is not said: the decision is to ask for it."""
    entries = [source.catalogue.entries[tool.name] for tool in group.tools]
    for index in range(3):
        for entry in rng.sample(entries, len(entries)):
            if entry.missing:
                number = index if source.of_which == "held_out" else rng.randrange(12)
                yield source.teacher.asking(entry.name, entry.missing, group.language, number)


def negated(source: Negatives, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """A call is named but not wanted: not yet, only supposed, or quoted."""
    language = group.language
    wordings = part(source.phrasing.negated, source.of_which, 1)
    for tool, scenario in _simple(source, group, rng):
        goal = source.teacher.goal(tool, scenario, language, rng)
        wording = rng.choice(wordings)
        query = getattr(wording.query, language).replace("{goal}", goal)
        thought, reply = getattr(wording.thought, language), getattr(wording.reply, language)
        yield _declined(group, "negated", tool, query, thought, reply)


def answered(source: Negatives, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """A second question, whose answer stands in the first one's observation or reply."""
    language = group.language
    wordings = part(source.phrasing.answered, source.of_which, 1)
    for tool, scenario in _simple(source, group, rng):
        number = rng.randrange(source.talker.grammar.capacity(scenario.queries, tool, language))
        item = Item(tool, scenario.name, scenario.complexity, number)
        before = source.talker.positive(item, language)
        *_, result, reply = before.turns
        assert isinstance(result, ToolResult)
        assert isinstance(reply, Assistant)
        if len(str(result.content)) > LONGEST:
            continue
        fields = [(k, v) for k, v in result.content.items() if isinstance(v, str | int | float)]
        field, value = rng.choice(fields or [("", "")])
        slots = {"query": before.query, "goal": _goal(before), "reply": reply.text}
        slots |= {"field": field.replace("_", " "), "value": str(value)} if fields else {}
        wording = rng.choice([one for one in wordings if fields or "{field}" not in one.query.en])
        query, thought, text = (
            _filled(getattr(one, language), slots)
            for one in (wording.query, wording.thought, wording.reply)
        )
        turns = (*before.turns, User(query), Assistant("no_call", thought, text=text))
        yield Trajectory(f"{group.id}.answered", turns, "answered", language, tool)


def general(source: Negatives, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """An everyday question, with tools on the menu that have nothing to do with it."""
    thought = getattr(source.phrasing.general.thought, group.language)
    alike = [one for one in source.everyday if one.language == group.language]
    asked = [one for one in alike if len(one.turns) == 2]  # a longer one's reply answers more
    for one in rng.sample(asked, len(asked)):
        reply = one.turns[-1]
        assert isinstance(reply, Assistant)
        yield _declined(group, "general", "", one.query, thought, reply.text)


KINDS: dict[str, Kind] = {
    "topic": topic,
    "removed": removed,
    "missing": missing,
    "negated": negated,
    "answered": answered,
    "general": general,
}


def _simple(source: Negatives, group: Group, rng: random.Random) -> Iterator[tuple[str, Scenario]]:
    """The scenarios of one call that the menu's tools have, in seeded order."""
    entries = source.catalogue.entries
    cells = [
        (tool.name, scenario)
        for tool in group.tools
        for scenario in entries[tool.name].scenarios
        if scenario.complexity == "simple"
    ]
    yield from rng.sample(cells, len(cells))


def _goal(one: Trajectory) -> str:
    """What the first decision was about to do, as a part of a sentence."""
    decision = next(turn for turn in one.turns if isinstance(turn, Assistant))
    return goal_of(decision.thought)


def _filled(text: str, slots: Mapping[str, str]) -> str:
    return SLOT.sub(lambda match: slots[match.group(1)], text)


def _declined(
    group: Group, kind: str, tool: str, query: str, thought: str, reply: str
) -> Trajectory:
    turns = (User(query), Assistant("no_call", thought, text=reply))
    return Trajectory(f"{group.id}.{kind}", turns, kind, group.language, tool)
