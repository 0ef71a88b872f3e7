"""300 damaged trajectories, each with the reason that `verify` must give.

The damaged trajectories are sound ones of the scripted teacher, which are checked beside them.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from agent_tuning.quality import verify
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.quality.validation import TrajectoryValidator, list_calls
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
        return self.with_trajectory(msgspec.structs.replace(self.trajectory, turns=turns))

    def with_trajectory(self, trajectory: Trajectory) -> Group:
        """Its id comes after every sound one's."""
        alone = msgspec.structs.replace(trajectory, id=f"~{trajectory.id}")
        return msgspec.structs.replace(self.group, trajectories=(alone,))

    def with_query(self, text: str) -> Group:
        return self.with_turns(User(text), *self.trajectory.turns[1:])

    def with_call(self, name: str, arguments: dict) -> Group:
        first = msgspec.structs.replace(self.trajectory.turns[1], calls=(Call(name, arguments),))
        return self.with_turns(self.trajectory.turns[0], first, *self.trajectory.turns[2:])

    def with_argument(self, name: str, value: object) -> Group:
        return self.with_call(self.call.name, {**self.call.arguments, name: value})

    def with_first_tool(self, **changes: object) -> Group:
        """The first tool changed."""
        first, *rest = self.group.tools
        tools = (msgspec.structs.replace(first, **changes), *rest)
        prompt = msgspec.structs.replace(self.group.prompt, tools=tools)
        return msgspec.structs.replace(self.with_trajectory(self.trajectory), prompt=prompt)


def call_unlisted_tool(sound: Sound) -> Group:
    listed = {tool.name for tool in sound.group.tools}
    other = next(name for name in default_data.CATALOGUE.entries if name not in listed)
    return sound.with_call(other, sound.call.arguments)


def use_turns_of_another_tool(sound: Sound) -> Group | None:
    """The turns of a trajectory that was written for another tool in the list."""
    for other in sound.group.trajectories:
        if sound.trajectory.tool not in {call.name for call in list_calls(other)}:
            return sound.with_turns(*other.turns)
    return None


def drop_argument(sound: Sound) -> Group:
    _, *others = sound.schema["required"]
    kept = {name: sound.call.arguments[name] for name in others}
    return sound.with_call(sound.call.name, kept)


def change_type(sound: Sound) -> Group:
    name = sound.schema["required"][0]
    return sound.with_argument(name, 7 if isinstance(sound.call.arguments[name], str) else "many")


def leave_enum(sound: Sound) -> Group | None:
    for name, field in sound.schema["properties"].items():
        if "enum" in field:
            return sound.with_argument(name, "something else")
    return None


def invent_value(sound: Sound) -> Group | None:
    for name in sound.call.arguments:
        if sound.schema["properties"][name].keys() <= {"type", "description"}:
            text = sound.schema["properties"][name]["type"] == "string"
            return sound.with_argument(name, "Atlantis" if text else 98765)
    return None


def change_observation(sound: Sound) -> Group:
    query, call, result, *rest = sound.trajectory.turns
    return sound.with_turns(query, call, ToolResult(result.name, {**result.content, "x": 1}), *rest)


def misname_observation(sound: Sound) -> Group:
    query, call, result, *rest = sound.trajectory.turns
    return sound.with_turns(query, call, ToolResult("other", result.content), *rest)


def drop_call(sound: Sound) -> Group:
    query, _, result, *rest = sound.trajectory.turns
    return sound.with_turns(query, result, *rest)


# name -> the reason that must be given, and the damage: None where it cannot be done.
DAMAGES: dict[str, tuple[str, Callable[[Sound], Group | None]]] = {
    "misspelt name": ("not_on_menu", lambda s: s.with_call(f"{s.call.name}s", s.call.arguments)),
    "tool of another list": ("not_on_menu", call_unlisted_tool),
    "calls of another query": ("wrong_tool", use_turns_of_another_tool),
    "missing argument": ("missing_argument", drop_argument),
    "undeclared argument": ("undeclared_argument", lambda s: s.with_argument("verbose", True)),
    "wrong type": ("schema", change_type),
    "outside the enum": ("schema", leave_enum),
    "value from nowhere": ("ungrounded", invent_value),
    "changed observation": ("wrong_observation", change_observation),
    "dropped observation": (
        "no_observation",
        lambda s: s.with_turns(*s.trajectory.turns[:2], s.trajectory.turns[-1]),
    ),
    "misnamed observation": ("no_observation", misname_observation),
    "observation of no call": ("not_called", drop_call),
    "no last answer": ("untrainable_end", lambda s: s.with_turns(*s.trajectory.turns[:-1])),
    "empty query": ("no_query", lambda s: s.with_query(" …! ")),
    "no query": ("no_query", lambda s: s.with_turns(*s.trajectory.turns[1:])),
    "the same in capitals": ("duplicate", lambda s: s.with_query(f"{s.trajectory.query.upper()}!")),
    "the same, politely": (
        "near_duplicate",
        lambda s: s.with_query(f"Please: {s.trajectory.query}"),
    ),
    "two tools of one name": ("menu_name", lambda s: s.with_first_tool(name=s.group.tools[1].name)),
    "a type of no JSON Schema": (
        "menu_schema",
        lambda s: s.with_first_tool(parameters={"type": "dict"}),
    ),
}
OVERLAPS: dict[str, Callable[[str], str]] = {
    "benchmark, other case": str.upper,
    "benchmark, a run of words": lambda query: f"Once more and quickly this time: {query}",
    "benchmark, nearly": lambda query: query.rsplit(" ", 1)[0],
}


def sound_trajectories() -> list[Sound]:
    teacher = default_data.teacher()
    groups = [teacher.group(request) for request in default_data.requests()]
    contamination = default_data.contamination_filter()
    problems = verify.find_problems(
        groups, TrajectoryValidator(default_data.CATALOGUE, contamination), 0.5
    )
    return [
        Sound(group, trajectory)
        for number, group in enumerate(groups)
        for member, trajectory in enumerate(group.trajectories)
        if (number, member) not in problems
    ]


class DamagedGroup(NamedTuple):
    damage: str
    expected: str
    group: Group


def build_damaged(sound: list[Sound]) -> Iterator[DamagedGroup]:
    """EACH of every damage, in seeded order."""
    for damage, (expected, inflict) in DAMAGES.items():
        order = random.Random(f"{SEED}:{damage}").sample(sound, len(sound))
        groups = (group for group in map(inflict, order) if group is not None)
        yield from (DamagedGroup(damage, expected, next(groups)) for _ in range(EACH))


def build_overlapping(sound: list[Sound]) -> Iterator[tuple[DamagedGroup, ProtectedQuery]]:
    """Sound trajectories, and the benchmark query that each of them is too similar to."""
    long = iter([item for item in sound if len(normalize_tokens(item.trajectory.query)) >= 9])
    for damage, disguise in OVERLAPS.items():
        for _ in range(EACH // len(OVERLAPS)):
            item = next(long)
            tools = tuple(tool.name for tool in item.group.tools)
            protected = ProtectedQuery(disguise(item.trajectory.query), "t", tools)
            group = item.with_trajectory(item.trajectory)
            yield DamagedGroup(damage, "benchmark_overlap", group), protected


def verify_all() -> list[tuple[DamagedGroup | None, str]]:
    """Every damaged group, or None for a sound one, with the reason that `verify` gives or ''."""
    sound = sound_trajectories()
    half = len(sound) // 2  # the benchmark overlaps with the second half only
    overlaps = list(build_overlapping(sound[half:]))
    damaged = [*build_damaged(sound[:half]), *(overlapping for overlapping, _ in overlaps)]
    intact = [
        msgspec.structs.replace(item.group, trajectories=(item.trajectory,))
        for item in sound[:half]
    ]
    contamination = ContaminationFilter([protected for _, protected in overlaps], 0.7)
    problems = verify.find_problems(
        [*intact, *(item.group for item in damaged)],
        TrajectoryValidator(default_data.CATALOGUE, contamination),
        0.5,
    )
    reasons = [problems.get(verify.Position(n, 0), "") for n in range(len(intact) + len(damaged))]
    return list(zip([None] * len(intact) + damaged, reasons, strict=True))


if __name__ == "__main__":
    table = Counter(
        (damaged.damage, damaged.expected, reason.partition(":")[0] or "NOT FOUND")
        for damaged, reason in verify_all()
        if damaged
    )
    for (damage, expected, reason), count in table.items():
        print(f"{damage:28} {expected:20} {count:4} {reason}")
    print(f"{table.total()} damaged, {sum(n for (_, e, r), n in table.items() if e == r)} found")
