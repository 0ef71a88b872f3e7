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

from agent_tuning.catalogue.entry_records import SLOT, Scenario
from agent_tuning.catalogue.grammar import Split, take_split
from agent_tuning.records import Assistant, Group, Language, ToolResult, Trajectory, User
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, strip_thought_prefix

CandidateGenerator = Callable[["NegativeSource", Group, random.Random], Iterator[Trajectory]]

MAX_TRIED_REQUESTS = (
    200  # positives whose query is tried with another menu; one of them is still unused
)
MAX_OBSERVATION_CHARS = 200  # characters of an observation that is talked about


class UserRequest(NamedTuple):
    """A positive's query and what its call would do."""

    id: str
    query: str
    goal: str


class NegativeSource:
    """What the kinds draw from. `of_which` is the part of the remarks and wordings in use."""

    def __init__(
        self,
        teacher: ScriptedTeacher,
        positives: Iterable[Trajectory],
        everyday: Sequence[Trajectory],
        of_which: Split = "train",
    ) -> None:
        self.teacher = teacher
        self.catalogue = teacher.catalogue
        self.phrasing = teacher.phrasing
        self.general_questions = everyday  # general conversation, with replies
        self.split: Split = of_which
        self.requests_by_tool: dict[tuple[Language, str], list[UserRequest]] = defaultdict(list)
        for one in positives:  # whose tool may be taken away from a menu
            if one.kind == "call":
                self.requests_by_tool[one.language, one.tool].append(
                    UserRequest(one.id, one.query, _goal(one))
                )
        for wishes in self.requests_by_tool.values():
            wishes.sort()
        # The same grammar, whose exchanges all go on to the reply.
        self.replying_teacher = ScriptedTeacher(
            self.catalogue,
            self.phrasing,
            msgspec.structs.replace(teacher.style, replies=1.0),
            teacher.grammar.phrasings_split,
            teacher.grammar.values_split,
        )


def on_topic_chat(source: NegativeSource, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """Talk about the subject of a tool on the menu."""
    language = group.language
    thought = getattr(source.phrasing.topic.thought, language)
    remarks = [
        (tool.name, remark)
        for tool in group.tools
        for remark in take_split(source.catalogue.entries[tool.name].remarks, source.split, 1)
    ]
    for tool, remark in rng.sample(remarks, len(remarks)):
        reply = getattr(remark.reply, language)
        yield _declined(group, "topic", tool, getattr(remark.query, language), thought, reply)


def tool_unavailable(
    source: NegativeSource, group: Group, rng: random.Random
) -> Iterator[Trajectory]:
    """A positive's own query whose tool is not on this menu, though a sibling of it is."""
    language = group.language
    menu = {tool.name for tool in group.tools}
    absent = [
        (name, source.requests_by_tool[language, name])
        for name, entry in source.catalogue.entries.items()
        if name not in menu
        and menu & set(entry.siblings)
        and (language, name) in source.requests_by_tool
    ]
    starts = [0, *accumulate(len(wishes) for _, wishes in absent)]
    for number in rng.sample(range(starts[-1]), min(MAX_TRIED_REQUESTS, starts[-1])):
        place = bisect_right(starts, number) - 1
        tool, wishes = absent[place]
        wish = wishes[number - starts[place]]
        thought = getattr(source.phrasing.removed.thought, language).replace("{goal}", wish.goal)
        reply = getattr(source.phrasing.removed.reply, language).replace("{goal}", wish.goal)
        yield _declined(group, "removed", tool, wish.query, thought, reply)


def missing_argument(
    source: NegativeSource, group: Group, rng: random.Random
) -> Iterator[Trajectory]:
    """A required argument is not said: the decision is to ask for it."""
    entries = [source.catalogue.entries[tool.name] for tool in group.tools]
    for index in range(3):
        for entry in rng.sample(entries, len(entries)):
            if entry.missing:
                number = index if source.split == "held_out" else rng.randrange(12)
                yield source.teacher.write_missing_argument(
                    entry.name, entry.missing, group.language, number
                )


def not_requested(source: NegativeSource, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """A call is named but not wanted: not yet, only supposed, or quoted."""
    language = group.language
    wordings = take_split(source.phrasing.negated, source.split, 1)
    for tool, scenario in _simple(source, group, rng):
        goal = source.teacher.goal(tool, scenario, language, rng)
        wording = rng.choice(wordings)
        query = getattr(wording.query, language).replace("{goal}", goal)
        thought, reply = getattr(wording.thought, language), getattr(wording.reply, language)
        yield _declined(group, "negated", tool, query, thought, reply)


def already_answered(
    source: NegativeSource, group: Group, rng: random.Random
) -> Iterator[Trajectory]:
    """A second question, whose answer stands in the first one's observation or reply."""
    language = group.language
    wordings = take_split(source.phrasing.answered, source.split, 1)
    for tool, scenario in _simple(source, group, rng):
        number = rng.randrange(
            source.replying_teacher.grammar.capacity(scenario.queries, tool, language)
        )
        item = TrajectoryRequest(tool, scenario.name, scenario.complexity, number)
        before = source.replying_teacher.write_positive(item, language)
        *_, result, reply = before.turns
        assert isinstance(result, ToolResult)
        assert isinstance(reply, Assistant)
        if len(str(result.content)) > MAX_OBSERVATION_CHARS:
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


def off_topic(source: NegativeSource, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """An everyday question, with tools on the menu that have nothing to do with it."""
    thought = getattr(source.phrasing.general.thought, group.language)
    alike = [one for one in source.general_questions if one.language == group.language]
    asked = [one for one in alike if len(one.turns) == 2]  # a longer one's reply answers more
    for one in rng.sample(asked, len(asked)):
        reply = one.turns[-1]
        assert isinstance(reply, Assistant)
        yield _declined(group, "general", "", one.query, thought, reply.text)


KINDS: dict[str, CandidateGenerator] = {
    "topic": on_topic_chat,
    "removed": tool_unavailable,
    "missing": missing_argument,
    "negated": not_requested,
    "answered": already_answered,
    "general": off_topic,
}


def _simple(
    source: NegativeSource, group: Group, rng: random.Random
) -> Iterator[tuple[str, Scenario]]:
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
    return strip_thought_prefix(decision.thought)


def _filled(text: str, slots: Mapping[str, str]) -> str:
    return SLOT.sub(lambda match: slots[match.group(1)], text)


def _declined(
    group: Group, kind: str, tool: str, query: str, thought: str, reply: str
) -> Trajectory:
    turns = (User(query), Assistant("no_call", thought, text=reply))
    return Trajectory(f"{group.id}.{kind}", turns, kind, group.language, tool)
