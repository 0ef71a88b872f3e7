"""Arguments of calls, compared by what their values mean to the tool."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from agent_tuning.quality.word_overlap import fold_text
from agent_tuning.records import Call, Json
from benchmark.tasks.suites import GoldCall


def is_same_value(gold: Json, value: Json) -> bool:
    """12 is 12.0 and "Oslo " is "oslo", but neither "12" nor True is a number."""
    if isinstance(gold, str) and isinstance(value, str):
        return fold_text(gold).strip() == fold_text(value).strip()
    if _is_number(gold) and _is_number(value):
        return bool(gold == value)
    if isinstance(gold, list | tuple) and isinstance(value, list | tuple):
        return len(gold) == len(value) and all(map(is_same_value, gold, value))
    if isinstance(gold, dict) and isinstance(value, dict):
        return gold.keys() == value.keys() and all(
            is_same_value(gold[key], value[key]) for key in gold
        )
    return type(gold) is type(value) and bool(gold == value)


def call_exact_match(gold: Sequence[GoldCall], calls: Sequence[Call]) -> int:
    """1 when the calls pair up with the gold's and every pair agrees in all arguments."""
    pairs = _pair_calls(gold, calls, lambda pair: pair.exact)
    return int(len(gold) == len(calls) == sum(pair.exact for pair in pairs))


def args_f1(gold: Sequence[GoldCall], calls: Sequence[Call]) -> float:
    """F1 over (name, value) pairs, under the pairing of calls with most values in common.

    A call without a partner counts as one value at least, so that repeating calls never pays.
    """
    unpaired = sum(max(1, len(call.arguments)) for call in calls)
    unpaired += sum(max(1, len(want.required)) for want in gold)
    # one more hit outweighs everything that can be saved
    pairs = _pair_calls(gold, calls, lambda pair: pair.hits * 4 * (unpaired + 1) + pair.saved)
    size = unpaired - sum(pair.saved for pair in pairs)
    return 2 * sum(pair.hits for pair in pairs) / size if size else 1.0


def args_similarity(
    gold: Sequence[GoldCall], calls: Sequence[Call], similarity: Callable[[Json, Json], float]
) -> float:
    """The mean similarity of the gold's values to the answer's (0-1); 1 where the gold has none."""
    values = sum(len(want.required) for want in gold)
    if not values:
        return 1.0
    pairs = _pair_calls(gold, calls, lambda pair: pair.sum_similarity(similarity))
    return min(1.0, math.fsum(pair.sum_similarity(similarity) for pair in pairs) / values)


@dataclass(frozen=True)
class _Pair:
    """One call beside one of the gold's."""

    want: GoldCall
    call: Call

    @property
    def same_tool(self) -> bool:
        return self.want.name == self.call.name

    @property
    def right(self) -> set[str]:
        wanted, given = self.want.arguments, self.call.arguments
        shared = wanted.keys() & given.keys()
        return {name for name in shared if any(is_same_value(v, given[name]) for v in wanted[name])}

    @property
    def exact(self) -> bool:
        return self.right == self.call.arguments.keys() and self.want.required <= self.right

    @property
    def hits(self) -> int:
        return len(self.right)

    @property
    def saved(self) -> int:
        """How many values fewer the pair counts than its two calls alone."""
        required, given = self.want.required, len(self.call.arguments)
        return max(1, given) + max(1, len(required)) - given - len(required | self.right)

    def sum_similarity(self, similarity: Callable[[Json, Json], float]) -> float:
        given = self.call.arguments
        return math.fsum(
            max(similarity(value, given[name]) for value in self.want.arguments[name])
            for name in sorted(self.want.required & given.keys())
        )


def _pair_calls(
    gold: Sequence[GoldCall], calls: Sequence[Call], gain: Callable[[_Pair], float]
) -> list[_Pair]:
    """The pairing of calls with the highest sum of `gain`; only calls of the same tool pair up."""
    pairs = [[_Pair(want, call) for call in calls] for want in gold]
    gains = np.zeros((len(gold), len(calls)))
    for (row, column), _ in np.ndenumerate(gains):
        pair = pairs[row][column]
        gains[row, column] = gain(pair) if pair.same_tool else 0.0
    rows, columns = linear_sum_assignment(gains, maximize=True)
    chosen = [pairs[row][column] for row, column in zip(rows, columns, strict=True)]
    return [pair for pair in chosen if pair.same_tool]


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
