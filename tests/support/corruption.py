"""300 damaged trajectories, each with the reason that must be found.

Every damage is done to sound trajectories of the scripted teacher, which are checked beside it.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from agent_tuning.quality import verify
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.quality.validation import TrajectoryValidator
from agent_tuning.records import Call, Group, ToolResult, Trajectory, Turn, User
from tests.support import default_data

EACH = 15
SEED = 5


class Sound(NamedTuple):
    """A trajectory that ends with its reply, and the group it stands in."""

    group: Group
    trajectory: Trajectory

    @property
    def call(self) -> Call:
        return self.trajectory.turns[1].calls[0]

    @property
    def schema(self) -> dict:
        return next(t for t in self.group.tools if t.name == self.call.name).parameters

    def with_turns(self, *turns: Turn) -> Group:
        return self.with_one(msgspec.structs.replace(self.trajectory, turns=turns))

    def with_one(self, one: Trajectory) -> Group:
        """Its id comes after every sound one's."""
        alone = msgspec.structs.replace(one, id=f"~{one.id}")
        return msgspec.structs.replace(self.group, trajectories=(alone,))

    def with_query(self, text: str) -> Group:
        return self.with_turns(User(text), *self.trajectory.turns[1:])

    def with_call(self, name: str, arguments: dict) -> Group:
        first = msgspec.structs.replace(self.trajectory.turns[1], calls=(Call(name, arguments),))
        return self.with_turns(self.trajectory.turns[0], first, *self.trajectory.turns[2:])

    def with_argument(self, name: str, value: object) -> Group:
        return self.with_call(self.call.name, {**self.call.arguments, name: value})

    def with_menu(self, **changes: object) -> Group:
        """The first tool changed."""
        first, *rest = self.group.tools
        tools = (msgspec.structs.replace(first, **changes), *rest)
        prompt = msgspec.structs.replace(self.group.prompt, tools=tools)
        return msgspec.structs.replace(self.with_one(self.trajectory), prompt=prompt)


def elsewhere(sound: Sound) -> Group:
    menu = {tool.name for tool in sound.group.tools}
    other = next(name for name in default_data.CATALOGUE.entries if name not in menu)
    return sound.with_call(other, sound.call.arguments)


def another(sound: Sound) -> Group | None:
    """What was written for another tool of the menu."""
    for other in sound.group.trajectories:
        if sound.trajectory.tool not in {c.name for t in other.turns[1::2] for c in t.calls}:
            return sound.with_turns(*other.turns)
    return None


def without_argument(sound: Sound) -> Group:
    _, *others = sound.schema["required"]
    kept = {name: sound.call.arguments[name] for name in others}
    return sound.with_call(sound.call.name, kept)


def of_wrong_type(sound: Sound) -> Group:
    name = sound.schema["required"][0]
    return sound.with_argument(name, 7 if isinstance(sound.call.arguments[name], str) else "many")


def outside_enum(sound: Sound) -> Group | None:
    for name, field in sound.schema["properties"].items():
        if "enum" in field:
            return sound.with_argument(name, "something else")
    return None


def from_nowhere(sound: Sound) -> Group | None:
    for name in sound.call.arguments:
        if sound.schema["properties"][name].keys() <= {"type", "description"}:
            text = sound.schema["properties"][name]["type"] == "string"
            return sound.with_argument(name, "Atlantis" if text else 98765)
    return None


def changed_observation(sound: Sound) -> Group:
    query, call, seen, *rest = sound.trajectory.turns
    return sound.with_turns(query, call, ToolResult(seen.name, {**seen.content, "x": 1}), *rest)


def misnamed_observation(sound: Sound) -> Group:
    query, call, seen, *rest = sound.trajectory.turns
    return sound.with_turns(query, call, ToolResult("other", seen.content), *rest)


def uncalled_observation(sound: Sound) -> Group:
    query, _, seen, *rest = sound.trajectory.turns
    return sound.with_turns(query, seen, *rest)


# name -> the reason that must be found, and the damage; None where it cannot be done.
DAMAGES: dict[str, tuple[str, Callable[[Sound], Group | None]]] = {
    "misspelt name": ("not_on_menu", lambda s: s.with_call(f"{s.call.name}s", s.call.arguments)),
    "tool of another menu": ("not_on_menu", elsewhere),
    "calls of another query": ("wrong_tool", another),
    "missing argument": ("missing_argument", without_argument),
    "undeclared argument": ("undeclared_argument", lambda s: s.with_argument("verbose", True)),
    "wrong type": ("schema", of_wrong_type),
    "outside the enum": ("schema", outside_enum),
    "value from nowhere": ("ungrounded", from_nowhere),
    "changed observation": ("wrong_observation", changed_observation),
    "dropped observation": (
        "no_observation",
        lambda s: s.with_turns(*s.trajectory.turns[:2], s.trajectory.turns[-1]),
    ),
    "misnamed observation": ("no_observation", misnamed_observation),
    "observation of no call": ("not_called", uncalled_observation),
    "no last answer": ("untrainable_end", lambda s: s.with_turns(*s.trajectory.turns[:-1])),
    "empty query": ("no_query", lambda s: s.with_query(" …! ")),
    "no query": ("no_query", lambda s: s.with_turns(*s.trajectory.turns[1:])),
    "the same in capitals": ("duplicate", lambda s: s.with_query(f"{s.trajectory.query.upper()}!")),
    "the same, politely": (
        "near_duplicate",
        lambda s: s.with_query(f"Please: {s.trajectory.query}"),
    ),
    "two tools of one name": ("menu_name", lambda s: s.with_menu(name=s.group.tools[1].name)),
    "a type of no JSON Schema": ("menu_schema", lambda s: s.with_menu(parameters={"type": "dict"})),
}
OVERLAPS: dict[str, Callable[[str], str]] = {
    "benchmark, other case": str.upper,
    "benchmark, a run of words": lambda query: f"Once more and quickly this time: {query}",
    "benchmark, nearly": lambda query: query.rsplit(" ", 1)[0],
}


def sound_trajectories() -> list[Sound]:
    teacher = default_data.teacher()
    groups = [teacher.group(request) for request in default_data.requests()]
    found = verify.find_problems(
        groups,
        TrajectoryValidator(default_data.CATALOGUE, default_data.contamination_filter()),
        0.5,
    )
    return [
        Sound(group, one)
        for number, group in enumerate(groups)
        for member, one in enumerate(group.trajectories)
        if (number, member) not in found
    ]


class DamagedGroup(NamedTuple):
    damage: str
    expected: str
    group: Group


def build_damaged(sound: list[Sound]) -> Iterator[DamagedGroup]:
    """EACH of every damage, in seeded order."""
    for damage, (expected, do) in DAMAGES.items():
        order = random.Random(f"{SEED}:{damage}").sample(sound, len(sound))
        done = (group for group in map(do, order) if group is not None)
        yield from (DamagedGroup(damage, expected, next(done)) for _ in range(EACH))


def build_overlapping(sound: list[Sound]) -> Iterator[tuple[DamagedGroup, ProtectedQuery]]:
    """Sound ones, and the benchmark query that each of them is too near to."""
    long = iter([one for one in sound if len(normalize_tokens(one.trajectory.query)) >= 9])
    for damage, disguise in OVERLAPS.items():
        for _ in range(EACH // len(OVERLAPS)):
            group, one = near = next(long)
            tools = tuple(tool.name for tool in group.tools)
            hit = ProtectedQuery(disguise(one.query), "t", tools)
            yield DamagedGroup(damage, "benchmark_overlap", near.with_one(one)), hit


def verify_all() -> list[tuple[DamagedGroup | None, str]]:
    """What verify says about each, sound (None) or damaged; an empty reason for a sound one."""
    sound = sound_trajectories()
    half = len(sound) // 2  # the benchmark is near to the second half, the sound are the first
    overlaps = list(build_overlapping(sound[half:]))
    bad = [*build_damaged(sound[:half]), *(one for one, _ in overlaps)]
    good = [
        msgspec.structs.replace(one.group, trajectories=(one.trajectory,)) for one in sound[:half]
    ]
    fence = ContaminationFilter([hit for _, hit in overlaps], 0.7)
    problems = verify.find_problems(
        [*good, *(one.group for one in bad)],
        TrajectoryValidator(default_data.CATALOGUE, fence),
        0.5,
    )
    reasons = [problems.get(verify.Position(n, 0), "") for n in range(len(good) + len(bad))]
    return list(zip([None] * len(good) + bad, reasons, strict=True))


if __name__ == "__main__":
    table = Counter(
        (one.damage, one.expected, reason.partition(":")[0] or "NOT FOUND")
        for one, reason in verify_all()
        if one
    )
    for (damage, expected, reason), count in table.items():
        print(f"{damage:28} {expected:20} {count:4} {reason}")
    print(f"{table.total()} damaged, {sum(n for (_, e, r), n in table.items() if e == r)} found")
