"""What makes a trajectory unsound. Each check gives its problem as `reason: detail`."""

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

    def __init__(self, catalogue: Catalogue, contamination: ContaminationFilter) -> None:
        self.catalogue = catalogue
        self.contamination = contamination

    def find_problem(self, trajectory: Trajectory, tools: Sequence[Tool]) -> str | None:
        """The first reason why this trajectory must not be trained on; None if it is sound."""
        return next(self._check_trajectory(trajectory, tools), None)

    def _check_trajectory(self, trajectory: Trajectory, tools: Sequence[Tool]) -> Iterator[str]:
        yield from schema.find_tool_list_problems(tools)
        queries = list_queries(trajectory)
        if not queries or not all(map(normalize_tokens, queries)):
            yield "no_query: the user says nothing"
        last = trajectory.turns[-1]
        if not (isinstance(last, Assistant) and last.trained):
            yield "untrainable_end: the last turn is not the model's"
        yield from self._check_decisions(trajectory.turns, tools)
        called = {call.name for call in list_calls(trajectory)}
        if trajectory.kind in POSITIVE_KINDS and trajectory.tool and trajectory.tool not in called:
            yield f"wrong_tool: {trajectory.tool} is never called"
        for query in queries:
            if leak := self.contamination.find_leak(query, (tool.name for tool in tools)):
                yield f"benchmark_overlap: {leak.reason}: {leak.task}: {query}"

    def _check_decisions(self, turns: Sequence[Turn], tools: Sequence[Tool]) -> Iterator[str]:
        world = self.catalogue.world()
        pending = 0  # calls whose observation has not come yet
        for number, turn in enumerate(turns):
            if isinstance(turn, ToolResult):
                if not pending:
                    yield f"not_called: {turn.name}"
                pending -= 1
            if isinstance(turn, Assistant):
                pending = len(turn.calls)
                results = turns[number + 1 : number + 1 + len(turn.calls)]
                for index, call in enumerate(turn.calls):
                    yield from self._check_call(call, tools, turns[:number])
                    yield from self._check_observation(call, results[index : index + 1], world)

    def _check_call(
        self, call: Call, tools: Sequence[Tool], before: Sequence[Turn]
    ) -> Iterator[str]:
        if problem := schema.find_call_problem(call, tools):
            yield problem
        for name, value in call.arguments.items():
            if not self.is_grounded(call.name, value, before):
                yield f"ungrounded: {call.name}.{name}: {value!r}"

    def _check_observation(
        self, call: Call, results: Sequence[Turn], world: World
    ) -> Iterator[str]:
        """The observation must be what the simulator computes.

        `results` is the turn after the call, or nothing if the call ends the trajectory.
        """
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
        """Did the user mention the value, in any of its wordings, or did a tool return it?

        `before` are the turns before the call. Every item of a list or object must be grounded.
        """
        if isinstance(value, list):
            return all(self.is_grounded(tool, item, before) for item in value)
        if isinstance(value, dict):
            return all(self.is_grounded(tool, item, before) for item in value.values())
        text = "\n".join(turn.text for turn in before if isinstance(turn, User)).casefold()
        if any(_contains(text, wording.casefold()) for wording in self._wordings(tool, value)):
            return True
        contents = [turn.content for turn in before if isinstance(turn, ToolResult)]
        return any(_is_same(value, leaf) for content in contents for leaf in list_leaves(content))

    def _wordings(self, tool: str, value: Json) -> Iterator[str]:
        yield str(value)
        domain = self.catalogue.domain_of.get(tool)
        for names in domain.names.values() if domain else ():
            for named in names:
                if _is_same(named.value, value):
                    # Every text contains the empty wording: leave it out.
                    yield from filter(None, (named.en, named.zh))


class RepetitionFilter:
    """Finds queries that came before. Ask in the order of ids: it then blames the later id."""

    def __init__(self, threshold: float) -> None:
        self._exact: set[tuple[str, ...]] = set()
        self._near = NearDuplicateIndex(threshold)

    def find_problem(self, query: str, calls: str) -> str | None:
        """Why this query repeats an earlier one; None, and remember it, if it does not.

        A query that is only similar must also lead to the same `calls`. With other arguments it
        teaches something else: 5 miles are not 6.
        """
        tokens = normalize_tokens(query)
        if tokens in self._exact:
            return f"duplicate: {query}"
        if next(self._near.find_similar(query, calls), None) is not None:
            return f"near_duplicate: {query}"
        self._exact.add(tokens)
        self._near.add(query, calls)
        return None


def list_queries(trajectory: Trajectory) -> tuple[str, ...]:
    """All that the user says, in order."""
    return tuple(turn.text for turn in trajectory.turns if isinstance(turn, User))


def list_calls(trajectory: Trajectory) -> list[Call]:
    """All calls of the model, in order."""
    return [call for turn in trajectory.turns if isinstance(turn, Assistant) for call in turn.calls]


def list_leaves(content: Json) -> list[Json]:
    """The plain values anywhere in a JSON value."""
    if isinstance(content, dict):
        return [leaf for value in content.values() for leaf in list_leaves(value)]
    if isinstance(content, list):
        return [leaf for value in content for leaf in list_leaves(value)]
    return [content]


def _is_same(value: Json, other: Json) -> bool:
    """Equal, where Python takes True for 1: a truth value must not ground a number."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _contains(text: str, wording: str) -> bool:
    """Does the text contain the wording, with its numbers whole? 25 and 5.5 do not contain 5."""
    before = r"(?<![\d.])" if wording[:1].isdigit() else ""
    after = r"(?!\.?\d)" if wording[-1:].isdigit() else ""
    return re.search(before + re.escape(wording) + after, text) is not None
