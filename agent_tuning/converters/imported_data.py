"""Trajectories of others for training: every row is kept, or counted with the reason against it.

A row goes through the checks of our own data as far as they can hold for it: its tools are usable,
its calls fit their schemas, and no user asks what a benchmark asks. Whether a value was said cannot
be checked, because others compute values that nobody said.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.converters import load
from agent_tuning.converters.sources import Part, SkippedRow, UnreadableRow
from agent_tuning.files import jsonl
from agent_tuning.prompts.formats.native import is_question
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.quality.validation import list_calls, list_queries
from agent_tuning.records import Assistant, Decision, Group, Record, ToolResult, Trajectory, Turn
from agent_tuning.runtime.ranges import AtLeastOne, Share


class ImportedSource(Record, frozen=True):
    """Rows of `source` in a format of agent_tuning/converters, `take` at most.

    `config` and `splits` are a part of a folder or hub set. `where` gives fields and the values
    that a row must have there; other rows are skipped and counted. `opt_in` says that you want it
    whatever its license.
    """

    name: str
    format: str
    source: str
    take: AtLeastOne | None = None
    ignore: tuple[str, ...] = ()
    config: str = ""
    splits: tuple[str, ...] = ()
    where: dict[str, tuple[str, ...]] = {}
    license: str = ""
    opt_in: bool = False


class ImportConfig(Record, frozen=True):
    """The section `import_data` of params.yaml, where each key is explained."""

    sources: tuple[ImportedSource, ...]
    max_rejected: Share
    permissive: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"sources: two are named {repeated}")
        for source in self.sources:
            if self.permissive and source.license not in self.permissive and not source.opt_in:
                raise ValueError(
                    f"sources: {source.name}: license {source.license or 'not given'!r}, expected "
                    f"one of {', '.join(self.permissive)}; to use it anyway, add opt_in: true"
                )


class ImportReject(Record, frozen=True):
    """A row that is not trained on, and why; `place` is where it is in the source."""

    source: str
    reason: str
    detail: str
    trajectory: Trajectory | None = None  # none if the row could not be read


def read_sources(
    config: ImportConfig, contamination: ContaminationFilter
) -> Iterator[tuple[str, Group | ImportReject | SkippedRow]]:
    """Every row of every source as a sound group of one, or as a reject; with the source's name.

    A row that `where` of its source leaves out is neither.
    """
    known: set[str] = set()
    for source in config.sources:
        kept = 0
        part = Part(source.config, source.splits)
        for row in load.read_rows(source.format, source.source, source.ignore, part, source.where):
            if isinstance(row, SkippedRow):
                yield source.name, row
                continue
            outcome = _check_row(source.name, row, known, contamination)
            yield source.name, outcome
            kept += isinstance(outcome, Group)
            if kept == source.take:
                break


def _check_row(
    source: str,
    row: Group | UnreadableRow,
    known: set[str],
    contamination: ContaminationFilter,
) -> Group | ImportReject:
    if isinstance(row, UnreadableRow):
        return ImportReject(source, "unreadable", f"{row.place}: {row.problem}")
    (trajectory,) = row.trajectories
    turns = cut_turns(trajectory.turns)
    if row.tools:
        turns = tuple(map(_tell_questions, turns))
    prepared = msgspec.structs.replace(trajectory, turns=turns)
    group = msgspec.structs.replace(row, trajectories=(prepared,))
    problem = next(find_problems(group, contamination), "")
    if not problem and group.id in known:
        problem = "duplicate: the same row came before"
    known.add(group.id)
    if problem:
        reason, _, detail = problem.partition(": ")
        return ImportReject(source, reason, detail, trajectory)
    return group


def cut_turns(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns up to the last trained one that is a whole exchange until then.

    Some sets give no result of a call and go on. The call can be trained, what follows cannot: it
    answers from a result that nobody sees.
    """
    end = len(turns)
    for number, turn in enumerate(turns):
        if isinstance(turn, Assistant) and turn.calls:
            results = turns[number + 1 : number + 1 + len(turn.calls)]
            if not all(isinstance(result, ToolResult) for result in results):
                end = number + 1
                break
    while end and not _is_trained(turns[end - 1]):
        end -= 1
    return tuple(turns[:end])


def _is_trained(turn: Turn) -> bool:
    return isinstance(turn, Assistant) and turn.trained


def _tell_questions(turn: Turn) -> Turn:
    """An answer that ends with a question asks back, and has no blanks around it."""
    if not isinstance(turn, Assistant) or turn.calls:
        return turn
    text = turn.text.strip()
    decision: Decision = "ask" if is_question(text) else turn.decision
    return msgspec.structs.replace(turn, decision=decision, text=text)


def find_problems(group: Group, contamination: ContaminationFilter) -> Iterator[str]:
    """Why a group of one must not be trained on, as `reason: detail`."""
    (trajectory,) = group.trajectories
    if not trajectory.turns:
        yield "untrained: no reply of the model is trained"
        return
    yield from schema.find_tool_list_problems(group.tools)
    queries = list_queries(trajectory)
    if not queries or not all(map(normalize_tokens, queries)):
        yield "no_query: the user says nothing"
    for call in list_calls(trajectory):
        if problem := schema.find_call_problem(call, group.tools):
            yield problem
    for said in dict.fromkeys(chain.from_iterable(map(_split_prompt, queries))):
        if leak := contamination.find_leak(said, (tool.name for tool in group.tools)):
            yield f"benchmark_overlap: {leak.reason}: {leak.task}: {said}"


def _split_prompt(query: str) -> tuple[str, ...]:
    """A query, and what a user may have said alone: a system prompt stands before or after it."""
    paragraphs = query.strip().split("\n\n")
    return query, paragraphs[0], paragraphs[-1]


class _Outcome(Record, frozen=True):
    """One row, while it waits to be sorted: either of the two."""

    group: Group | None = None
    reject: ImportReject | None = None


def write_outcomes(
    config: ImportConfig,
    contamination: ContaminationFilter,
    groups: Path,
    general: Path,
    rejects: Path,
) -> dict[str, float]:
    """Write groups with tools, groups without, and rejects; return counts by reason and source.

    The sources are read once, and rows wait in a file: they need not fit into memory.
    """
    counts: Counter[str] = Counter(agent=0, general=0, rejected=0)
    groups.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=groups.parent) as folder:
        waiting = Path(folder) / "outcomes.jsonl"
        outcomes = read_sources(config, contamination)
        counted = (_count(source, outcome, counts) for source, outcome in outcomes)
        jsonl.write(waiting, filter(None, counted))
        lines = jsonl.Lines(waiting, _Outcome)
        jsonl.write(groups, (line.group for line in lines if line.group and line.group.tools))
        jsonl.write(general, (line.group for line in lines if line.group and not line.group.tools))
        jsonl.write(rejects, (line.reject for line in lines if line.reject))
    return dict(counts)


def _count(
    source: str, outcome: Group | ImportReject | SkippedRow, counts: Counter[str]
) -> _Outcome | None:
    if isinstance(outcome, SkippedRow):
        counts[f"skipped_from_{source}"] += 1
        return None
    counts[f"read_from_{source}"] += 1
    if isinstance(outcome, Group):
        counts.update(("agent" if outcome.tools else "general", f"kept_from_{source}"))
        return _Outcome(group=outcome)
    names = ("rejected", f"rejected_{outcome.reason}", f"rejected_from_{outcome.source}")
    counts.update(names)
    return _Outcome(reject=outcome)
