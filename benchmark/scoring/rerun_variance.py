"""The noise under every number: the same questions answered again in batches of another size.

Another batch is another rounding, and a near-tie then becomes another answer.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import Record
from agent_tuning.runtime.ranges import AtLeastOne, ShareAboveZero
from benchmark.engines.answer import Answer
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answer
from benchmark.tasks.suites import Suite


class RerunVarianceConfig(Record, frozen=True):
    """`share` of the groups (0-1) are asked again, at most `batch_size` questions in a batch."""

    share: ShareAboveZero
    batch_size: AtLeastOne


def choose_groups(groups: Sequence[QuestionGroup], share: float) -> list[QuestionGroup]:
    """Whole groups by the hash of their ids: the same ones whatever else is asked."""
    count = max(1, round(share * len(groups)))
    return sorted(groups, key=lambda g: hashlib.blake2b(g.group.encode()).digest())[:count]


def measure_rerun_variance(
    suites: Sequence[Suite], first: Mapping[str, Answer], again: Mapping[str, Answer]
) -> dict[str, float]:
    """Shares of the tasks in `again`, 0-1; `em_difference` has no sign."""
    before = list(_list_em(suites, again, first))
    after = list(_list_em(suites, again, again))
    equal = sum(first.get(task) == answer for task, answer in again.items())
    asked = len(again)
    return {
        "asked": asked,
        "equal": equal / asked,
        "em_difference": abs(sum(after) - sum(before)) / asked,
        "em_flipped": sum(a != b for a, b in zip(before, after, strict=True)) / asked,
    }


def _list_em(
    suites: Sequence[Suite], tasks: Mapping[str, Answer], answers: Mapping[str, Answer]
) -> Iterator[float]:
    """The em of each of `tasks` (by id), in the order of the suites."""
    scorer = TEXT_SCORERS["rouge_l"]
    for suite in suites:
        for task in suite.tasks:
            if task.id in tasks:
                prompt, answer = suite.prompt(task), answers.get(task.id)
                yield score_answer(suite.name, "", task, prompt, answer, scorer, 0.0).score.em
