"""The report's section on episodes: a table, success by family, and two episodes to read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.rollouts.goal_scoring import OUTCOMES, EpisodeScore, group_by_family

FAILURES = tuple(name for name in OUTCOMES if name not in ("missing", "success"))


@dataclass(frozen=True)
class PolicyRow:
    """A line of the table; shares are 0-1."""

    model: str
    n: int
    success: float
    low: float
    high: float
    passes: tuple[float, ...]  # pass^1, pass^2, …
    steps: float
    invalid: float
    failures: tuple[float, ...]  # in the order of FAILURES


@dataclass(frozen=True)
class EpisodeSection:
    policies: Sequence[PolicyRow]
    families: Mapping[str, Sequence[float]]  # success of each policy
    shown: Sequence[EpisodeScore]
    failures: Sequence[str] = FAILURES

    @property
    def tries(self) -> Sequence[int]:
        return range(1, len(self.policies[0].passes) + 1)


def build_section(
    metrics: Mapping[str, float], rows: Sequence[EpisodeScore]
) -> EpisodeSection | None:
    """None where no episode was played."""
    if not rows:
        return None
    models = list(dict.fromkeys(row.model for row in rows))
    return EpisodeSection(
        [_build_row(metrics, model) for model in models],
        {
            family: [metrics[f"{model}.family.{family}"] for model in models]
            for family in group_by_family(rows)
        },
        choose_shown([row for row in rows if row.model == "tuned"]),
    )


def choose_shown(rows: Iterable[EpisodeScore]) -> list[EpisodeScore]:
    """The longest success, and the longest failure: one that parses, if there is any."""
    ordered = sorted(rows, key=lambda row: (-len(row.steps), row.episode))
    won = [row for row in ordered if row.success]
    lost = [row for row in ordered if not row.success]
    readable = [row for row in lost if row.outcome != "malformed"]
    return [*won[:1], *(readable or lost)[:1]]


def _build_row(metrics: Mapping[str, float], model: str) -> PolicyRow:
    values = {
        name.removeprefix(f"{model}."): value
        for name, value in metrics.items()
        if name.startswith(f"{model}.")
    }
    passes = sum(name.startswith("pass^") for name in values)
    return PolicyRow(
        model=model,
        n=int(values["n"]),
        success=values["success"],
        low=values["success.low"],
        high=values["success.high"],
        passes=tuple(values[f"pass^{k}"] for k in range(1, passes + 1)),
        steps=values["steps"],
        invalid=values["invalid"],
        failures=tuple(values[f"outcome.{name}"] for name in FAILURES),
    )
