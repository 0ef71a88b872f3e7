"""What makes a trajectory unsound. Each check gives the first problem as `reason: detail`."""

import re
from collections.abc import Iterator, Sequence

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.simulators import World
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.near_duplicates import NearDuplicateIndex, normalize_tokens
from agent_tuning.records import Assistant, Call, Json, Tool, ToolResult, Trajectory, Turn, User

POSITIVE_KINDS = ("call", "chain", "multi")  # kinds that were written for a call of their tool


class TrajectoryValidator:
    """The checks of one trajectory by itself."""

    def __init__(self, catalogue: Catalogue, fence: ContaminationFilter) -> None:
        self.catalogue = catalogue
        self.fence = fence

    def problem(self, trajectory: Trajectory, tools: Sequence[Tool]) -> str | None:
        """Why this trajectory must not be trained on; None if it is sound."""
        return next(self._problems(trajectory, tools), None)

    def _problems(self, trajectory: Trajectory, tools: Sequence[Tool]) -> Iterator[str]:
        yield from schema.find_tool_list_problems(tools)
        asked = [turn.text for turn in trajectory.turns if isinstance(turn, User)]
        if not asked or not all(map(normalize_tokens, asked)):
            yield "no_query: the user says nothing"
        last = trajectory.turns[-1]
        if not (isinstance(last, Assistant) and last.trained):
            yield "untrainable_end: the last turn is not the model's"
        yield from self._of_decisions(trajectory.turns, tools)
        named = {call.name for call in list_calls(trajectory)}
        if trajectory.kind in POSITIVE_KINDS and trajectory.tool and trajectory.tool not in named:
            yield f"wrong_tool: written for {trajectory.tool}, which is never called"
        for query in asked:
            if reason := self.fence.overlap(query, (tool.name for tool in tools)):
                yield f"benchmark_overlap: {reason}: {query}"

    def _of_decisions(self, turns: Sequence[Turn], tools: Sequence[Tool]) -> Iterator[str]:
        world = self.catalogue.world()
        due = 0  # observations that the calls before still wait for
        for number, turn in enumerate(turns):
            if isinstance(turn, ToolResult):
                if not due:
                    yield f"not_called: {turn.name}"
                due -= 1
            if isinstance(turn, Assistant):
                due = len(turn.calls)
                results = turns[number + 1 : number + 1 + len(turn.calls)]
                for index, call in enumerate(turn.calls):
                    yield from self._of_call(call, tools, turns[:number])
                    yield from self._of_observation(call, results[index : index + 1], world)

    def _of_call(self, call: Call, tools: Sequence[Tool], before: Sequence[Turn]) -> Iterator[str]:
        found = schema.find_call_problem(call, tools)
        if found:
            yield found
        for name, value in call.arguments.items():
            if not self.is_grounded(call.name, value, before):
                yield f"ungrounded: {call.name}.{name}: {value!r}"

    def _of_observation(self, call: Call, results: Sequence[Turn], world: World) -> Iterator[str]:
        """Another result than the simulator's own; a call at the very end has none yet."""
        known = call.name in self.catalogue.entries
        try:
            observed = world.observe(call) if known else None
        except (ArithmeticError, LookupError, ValueError) as error:
            yield f"impossible: {call.name}: {error}"  # such as the 30th of February
            return
        for result in results:
            if not isinstance(result, ToolResult) or result.name != call.name:
                yield f"no_observation: {call.name}"
            elif known and result.content != observed:
                yield f"wrong_observation: {call.name}"

    def is_grounded(self, tool: str, value: Json, before: Sequence[Turn]) -> bool:
        """Does the value stand in what was said or observed before, in any of its wordings?"""
        if isinstance(value, list):
            return all(self.is_grounded(tool, item, before) for item in value)
        if isinstance(value, dict):
            return all(self.is_grounded(tool, item, before) for item in value.values())
        heard = "\n".join(turn.text for turn in before if isinstance(turn, User)).casefold()
        if any(_stands(wording.casefold(), heard) for wording in self._wordings(tool, value)):
            return True
        observed = [turn.content for turn in before if isinstance(turn, ToolResult)]
        return any(_same(value, leaf) for content in observed for leaf in list_leaves(content))

    def _wordings(self, tool: str, value: Json) -> Iterator[str]:
        yield str(value)
        domain = self.catalogue.domain_of.get(tool)
        for named in (
            (named for names in domain.names.values() for named in names) if domain else ()
        ):
            if _same(named.value, value):
                # An empty wording would stand in every text.
                yield from filter(None, (named.en, named.zh))


def _same(one: Json, other: Json) -> bool:
    """Python takes True for 1: a truth value in words must not ground a number."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


class RepetitionFilter:
    """Finds what was said before. Asked in the order of ids, it always blames the later id."""

    def __init__(self, near: float) -> None:
        self._whole: set[tuple[str, ...]] = set()
        self._near = NearDuplicateIndex(near)

    def problem(self, query: str, decided: str) -> str | None:
        """The same query, or nearly the same one with the same calls `decided`; else remember it.

        With other arguments a similar query is another lesson: 5 miles are not 6.
        """
        tokens = normalize_tokens(query)
        if tokens in self._whole:
            return f"duplicate: {query}"
        if next(self._near.find_similar(query, decided), None) is not None:
            return f"near_duplicate: {query}"
        self._whole.add(tokens)
        self._near.add(query, decided)
        return None


def list_calls(trajectory: Trajectory) -> list[Call]:
    """All calls of the model, in order."""
    return [c for turn in trajectory.turns if isinstance(turn, Assistant) for c in turn.calls]


def _stands(wording: str, text: str) -> bool:
    """5 does not stand in 25 or 5.5."""
    before = r"(?<![\d.])" if wording[:1].isdigit() else ""
    after = r"(?!\.?\d)" if wording[-1:].isdigit() else ""
    return re.search(before + re.escape(wording) + after, text) is not None


def list_leaves(content: Json) -> list[Json]:
    """The plain values anywhere in a JSON value."""
    if isinstance(content, dict):
        return [leaf for value in content.values() for leaf in list_leaves(value)]
    if isinstance(content, list):
        return [leaf for value in content for leaf in list_leaves(value)]
    return [content]
