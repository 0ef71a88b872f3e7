"""Hard negatives: queries that look as if they needed a tool and need none.

Each kind is a generator of candidates for one group; the first that is new is taken.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from trajectory.records import Assistant, Group, Trajectory, User
from trajectory.teachers.scripted import Part, Scripted, part

Kind = Callable[["Negatives", Group, random.Random], Iterator[Trajectory]]


class Negatives:
    """What the kinds draw from. `of_which` is the part of the remarks and wordings in use."""

    def __init__(
        self,
        teacher: Scripted,
        positives: Sequence[Trajectory],
        everyday: Sequence[Trajectory],
        of_which: Part = "train",
    ) -> None:
        self.teacher = teacher
        self.catalogue = teacher.catalogue
        self.phrasing = teacher.phrasing
        self.positives = positives  # whose tool may be taken away from a menu
        self.everyday = everyday  # general conversation, with replies
        self.of_which: Part = of_which


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
    entries = source.catalogue.entries
    wanted = [
        one
        for one in source.positives
        if one.language == language and one.kind == "call" and one.tool not in menu
        if menu & set(entries[one.tool].siblings)
    ]
    for one in rng.sample(wanted, len(wanted)):
        decision = next(turn for turn in one.turns if isinstance(turn, Assistant))
        goal = decision.thought.rstrip(".。")
        goal = goal[:1].lower() + goal[1:]
        thought = getattr(source.phrasing.removed.thought, language).replace("{goal}", goal)
        reply = getattr(source.phrasing.removed.reply, language).replace("{goal}", goal)
        yield _declined(group, "removed", one.tool, one.query, thought, reply)


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
    entries = source.catalogue.entries
    cells = [
        (tool.name, scenario)
        for tool in group.tools
        for scenario in entries[tool.name].scenarios
        if not scenario.then
    ]
    wordings = part(source.phrasing.negated, source.of_which, 1)
    for tool, scenario in rng.sample(cells, len(cells)):
        goal = source.teacher.goal(tool, scenario, language, rng)
        wording = rng.choice(wordings)
        query = getattr(wording.query, language).replace("{goal}", goal)
        thought, reply = getattr(wording.thought, language), getattr(wording.reply, language)
        yield _declined(group, "negated", tool, query, thought, reply)


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
    "general": general,
}


def _declined(
    group: Group, kind: str, tool: str, query: str, thought: str, reply: str
) -> Trajectory:
    turns = (User(query), Assistant("no_call", thought, text=reply))
    return Trajectory(f"{group.id}.{kind}", turns, kind, group.language, tool)
