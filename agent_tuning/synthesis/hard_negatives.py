"""Hard negatives: queries that look as if they needed a tool and need none.

Each kind is a generator of candidates for one group. `negative_selection` takes the first new one.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

import msgspec

from agent_tuning.catalogue.entry_records import SLOT, MissingArgument, Scenario
from agent_tuning.catalogue.split import Split, take_split
from agent_tuning.records import Assistant, Group, Language, ToolResult, Trajectory, User
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, strip_thought_prefix

T = TypeVar("T")
CandidateGenerator = Callable[["NegativeSource", Group, random.Random], Iterator[Trajectory]]

MAX_TRIED_REQUESTS = 200  # positives whose query is tried with other tools; one is still unused
MAX_OBSERVATION_CHARS = 200  # longer observations are not talked about


class UserRequest(NamedTuple):
    """A positive's query, and what its call would do, as a part of a sentence."""

    id: str
    query: str
    goal: str


class GrammarWidth(NamedTuple):
    """How many queries the grammar gives for one tool, and how often a sentence comes before them.

    `missing_wordings` is the most without a required argument. `prefaced` (0-1) is the share of
    these and of chat that begins with another sentence.
    """

    missing_wordings: int
    prefaced: float


NARROW = GrammarWidth(missing_wordings=12, prefaced=0.0)


class NegativeSource:
    """What the kinds draw from.

    `general_questions` are conversations with replies. `split` says which remarks and wordings
    are used: those for training, or those that are held out. The tools of `outside` are never in
    a list, so their requests are unavailable in every list, and not only beside a sibling. `width`
    is how much of the grammar asks for what is missing and chats about tools.
    """

    def __init__(
        self,
        teacher: ScriptedTeacher,
        positives: Iterable[Trajectory],
        general_questions: Sequence[Trajectory],
        split: Split = "train",
        outside: Collection[str] = (),
        width: GrammarWidth = NARROW,
    ) -> None:
        self.teacher = teacher
        self.width = width
        self.outside = frozenset(outside)
        self.catalogue = teacher.catalogue
        self.phrasing = teacher.phrasing
        self.single_questions: dict[Language, list[Trajectory]] = defaultdict(list)
        for question in general_questions:
            # In a longer conversation the last reply answers more than the first question.
            if len(question.turns) == 2:
                self.single_questions[question.language].append(question)
        self.split: Split = split
        self.requests_by_tool = _collect_requests(positives)
        # The same grammar, but every exchange goes on to the reply.
        self.replying_teacher = ScriptedTeacher(
            self.catalogue,
            self.phrasing,
            msgspec.structs.replace(teacher.style, final_reply_rate=1.0),
            teacher.grammar.phrasings_split,
            teacher.grammar.values_split,
        )


def on_topic_chat(source: NegativeSource, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """Chat about the subject of a tool in the list."""
    language = group.language
    thought = getattr(source.phrasing.on_topic_chat.thought, language)
    remarks = [
        (tool.name, remark)
        for tool in group.tools
        for remark in take_split(source.catalogue.entries[tool.name].remarks, source.split, 1)
    ]
    for tool, remark in rng.sample(remarks, len(remarks)):
        query, reply = getattr(remark.query, language), getattr(remark.reply, language)
        chat = _build_negative(group, "on_topic_chat", tool, query, thought, reply)
        yield _add_preface(chat, source, group, rng)


def tool_unavailable(
    source: NegativeSource, group: Group, rng: random.Random
) -> Iterator[Trajectory]:
    """A positive's own query. Its tool is not in the list, though a sibling of the tool may be."""
    language = group.language
    listed = {tool.name for tool in group.tools}
    unlisted = [
        (name, source.requests_by_tool[language, name])
        for name, entry in source.catalogue.entries.items()
        if name not in listed
        and (listed & set(entry.siblings) or name in source.outside)
        and (language, name) in source.requests_by_tool
    ]
    # The requests of all unlisted tools are numbered through; `starts` has each tool's first.
    starts = [0, *accumulate(len(requests) for _, requests in unlisted)]
    for number in rng.sample(range(starts[-1]), min(MAX_TRIED_REQUESTS, starts[-1])):
        index = bisect_right(starts, number) - 1
        tool, requests = unlisted[index]
        request = requests[number - starts[index]]
        wording = source.phrasing.tool_unavailable
        thought = getattr(wording.thought, language).replace("{goal}", request.goal)
        reply = getattr(wording.reply, language).replace("{goal}", request.goal)
        yield _build_negative(group, "tool_unavailable", tool, request.query, thought, reply)


def missing_argument(
    source: NegativeSource, group: Group, rng: random.Random
) -> Iterator[Trajectory]:
    """The query lacks a required argument: the model must ask for it."""
    entries = [source.catalogue.entries[tool.name] for tool in group.tools]
    for index in range(3):
        for entry in rng.sample(entries, len(entries)):
            if entry.missing:
                most = _count_missing(source, entry.name, entry.missing, group.language)
                number = index if source.split == "held_out" else rng.randrange(most)
                negative = source.teacher.write_missing_argument(
                    entry.name, entry.missing, group.language, number
                )
                yield _add_preface(negative, source, group, rng)


def not_requested(source: NegativeSource, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """The user names a call without wanting it: it is for later, only supposed, or quoted."""
    language = group.language
    wordings = take_split(source.phrasing.not_requested, source.split, 1)
    for tool, scenario in _shuffle_simple_scenarios(source, group, rng):
        goal = source.teacher.goal(tool, scenario, language, rng)
        wording = rng.choice(wordings)
        query = getattr(wording.query, language).replace("{goal}", goal)
        thought, reply = getattr(wording.thought, language), getattr(wording.reply, language)
        yield _build_negative(group, "not_requested", tool, query, thought, reply)


def already_answered(
    source: NegativeSource, group: Group, rng: random.Random
) -> Iterator[Trajectory]:
    """A second question. The first one's observation or reply holds the answer already."""
    language = group.language
    wordings = take_split(source.phrasing.already_answered, source.split, 1)
    teacher = source.replying_teacher
    for tool, scenario in _shuffle_simple_scenarios(source, group, rng):
        number = rng.randrange(teacher.grammar.capacity(scenario.queries, tool, language))
        item = TrajectoryRequest(tool, scenario.name, scenario.complexity, number)
        first = teacher.write_positive(item, language)
        *_, result, reply = first.turns
        assert isinstance(result, ToolResult)
        assert isinstance(reply, Assistant)
        if len(str(result.content)) > MAX_OBSERVATION_CHARS:
            continue
        slots = {"query": first.query, "goal": _describe_goal(first), "reply": reply.text}
        fields = [
            (field, value)
            for field, value in result.content.items()
            if isinstance(value, str | int | float)
        ]
        field, value = rng.choice(fields or [("", "")])
        if fields:
            slots |= {"field": field.replace("_", " "), "value": str(value)}
        fitting = [one for one in wordings if fields or "{field}" not in one.query.en]
        if not fitting:
            continue
        wording = rng.choice(fitting)
        query, thought, text = (
            _fill_slots(getattr(wording_part, language), slots)
            for wording_part in (wording.query, wording.thought, wording.reply)
        )
        turns = (*first.turns, User(query), Assistant("no_call", thought, text=text))
        yield Trajectory(
            _name_negative(group, "already_answered"), turns, "already_answered", language, tool
        )


def off_topic(source: NegativeSource, group: Group, rng: random.Random) -> Iterator[Trajectory]:
    """A general question, which has nothing to do with the tools in the list."""
    thought = getattr(source.phrasing.off_topic.thought, group.language)
    for question in _shuffle_lazily(source.single_questions[group.language], rng):
        reply = question.turns[-1]
        assert isinstance(reply, Assistant)
        yield _build_negative(group, "off_topic", "", question.query, thought, reply.text)


def _shuffle_lazily(items: Sequence[T], rng: random.Random) -> Iterator[T]:
    """What `rng.sample(items, len(items))` gives, one by one: few of many are looked at."""
    moved: dict[int, int] = {}
    for left in range(len(items), 0, -1):
        place = rng.randrange(left)
        yield items[moved.get(place, place)]
        moved[place] = moved.get(left - 1, left - 1)


class NegativeKind(NamedTuple):
    """How a kind is made. `seed_word` seeds its draws and ends its ids: do not change it.

    Another word would give other data under the same parameters.
    """

    seed_word: str
    generate: CandidateGenerator


KINDS: dict[str, NegativeKind] = {
    "on_topic_chat": NegativeKind("topic", on_topic_chat),
    "tool_unavailable": NegativeKind("removed", tool_unavailable),
    "missing_argument": NegativeKind("missing", missing_argument),
    "not_requested": NegativeKind("negated", not_requested),
    "already_answered": NegativeKind("answered", already_answered),
    "off_topic": NegativeKind("general", off_topic),
}


def _count_missing(
    source: NegativeSource, tool: str, missing: MissingArgument, language: Language
) -> int:
    """Queries to draw from. The first 12 always exist: they may repeat with another polite word."""
    capacity = source.teacher.grammar.capacity(missing.queries, tool, language)
    return min(source.width.missing_wordings, max(NARROW.missing_wordings, capacity))


def _add_preface(
    negative: Trajectory, source: NegativeSource, group: Group, rng: random.Random
) -> Trajectory:
    """The same with a sentence before the query that changes nothing, as often as is wanted."""
    if not source.width.prefaced or rng.random() >= source.width.prefaced:
        return negative
    language = group.language
    preface = rng.choice(take_split(getattr(source.phrasing.prefaces, language), source.split, 1))
    query = preface + ("" if language == "zh" else " ") + negative.query
    id = _name_negative(group, negative.kind)
    turns = (User(query), *negative.turns[1:])
    return msgspec.structs.replace(negative, id=id, turns=turns)


def strip_preface(query: str, source: NegativeSource, language: Language) -> str:
    """A query without the sentence before it."""
    prefaces = getattr(source.phrasing.prefaces, language)
    return query.removeprefix(next(filter(query.startswith, prefaces), "")).lstrip()


def _name_negative(group: Group, kind: str) -> str:
    return f"{group.id}.{KINDS[kind].seed_word}"


def _collect_requests(
    positives: Iterable[Trajectory],
) -> dict[tuple[Language, str], list[UserRequest]]:
    """The requests of one call, by language and tool: their tool may be missing from a list."""
    requests: dict[tuple[Language, str], list[UserRequest]] = defaultdict(list)
    for positive in positives:
        if positive.kind == "call":
            requests[positive.language, positive.tool].append(
                UserRequest(positive.id, positive.query, _describe_goal(positive))
            )
    for of_tool in requests.values():
        of_tool.sort()
    return requests


def _shuffle_simple_scenarios(
    source: NegativeSource, group: Group, rng: random.Random
) -> list[tuple[str, Scenario]]:
    """The tool and scenario of every single call that the group's tools allow, in seeded order."""
    scenarios = [
        (tool.name, scenario)
        for tool in group.tools
        for scenario in source.catalogue.entries[tool.name].scenarios
        if scenario.complexity == "simple"
    ]
    return rng.sample(scenarios, len(scenarios))


def _describe_goal(trajectory: Trajectory) -> str:
    """What the first decision was about to do, as a part of a sentence."""
    decision = next(turn for turn in trajectory.turns if isinstance(turn, Assistant))
    return strip_thought_prefix(decision.thought)


def _fill_slots(text: str, slots: Mapping[str, str]) -> str:
    return SLOT.sub(lambda match: slots[match.group(1)], text)


def _build_negative(
    group: Group, kind: str, tool: str, query: str, thought: str, reply: str
) -> Trajectory:
    turns = (User(query), Assistant("no_call", thought, text=reply))
    return Trajectory(_name_negative(group, kind), turns, kind, group.language, tool)
