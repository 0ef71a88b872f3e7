"""One answer of one model, judged: the line a person reads to see why."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, BadInput, Decision, Record, Tool, User
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import Verdict, parse_answer
from benchmark.scoring.scorers import Score, TextScorer, score_turn
from benchmark.tasks.suites import Gold, Suite, Task

Answers = Mapping[str, Answer]  # by task id


class ScoredAnswer(Record, frozen=True):
    suite: str
    model: str
    task: str
    group: str
    kind: str
    language: str
    template: str
    tool_format: str
    reply_format: str
    wanted: Decision
    outcome: Verdict
    score: Score
    axes: dict[str, str] = {}
    reason: str = ""  # why the answer is malformed or missing, or what it got wrong
    query: str = ""
    gold: str = ""
    decision: str = ""  # what was read from the answer
    answer: str = ""
    missing: bool = False

    @property
    def numbers(self) -> "ScoredAnswer":
        """Without the words, which are most of it."""
        return msgspec.structs.replace(self, reason="", query="", gold="", decision="", answer="")


def read_answers(path: Path, known: set[str]) -> Answers:
    """Answers to `known` tasks; one to another task, or a second one, stops with its line."""
    answers: dict[str, Answer] = {}
    for line, answer in enumerate(jsonl.read(path, Answer), 1):
        if answer.task not in known:
            raise BadInput(f"{path}:{line}: task: no suite has a task {answer.task!r}")
        if answer.task in answers:
            raise BadInput(f"{path}:{line}: task: {answer.task!r} is answered a second time")
        answers[answer.task] = answer
    return answers


def score_answers(
    suite: Suite, model: str, answers: Answers, alike: TextScorer, lam: float
) -> Iterator[ScoredAnswer]:
    """A line for every task, answered or not, in order of their ids."""
    for task in sorted(suite.tasks, key=lambda task: task.id):
        menu, answer = suite.tools_of(task), answers.get(task.id)
        yield score_answer(suite.name, model, task, menu, answer, alike, lam)


def score_answer(
    suite: str,
    model: str,
    task: Task,
    tools: Sequence[Tool],
    answer: Answer | None,
    alike: TextScorer,
    lam: float,
) -> ScoredAnswer:
    found = parse_answer(task, tools, answer)
    result = score_turn(task, found.turn, alike, lam)
    return ScoredAnswer(
        suite=suite,
        model=model,
        task=task.id,
        group=task.group,
        kind=task.kind,
        language=task.language,
        template=task.template,
        tool_format=task.tool_format,
        reply_format=task.reply_format,
        wanted=task.decision,
        outcome=found.verdict,
        score=result,
        axes=task.axes,
        reason=_printable(found.reason or _reason(task, found.turn, result)),
        query=last_user_text(task),
        gold=_printable(" or ".join(_gold_text(gold) for gold in task.golds)),
        decision=_printable(_turn_text(found.turn)) if found.turn else "",
        answer=answer.text if answer else "",
        missing=answer is None,
    )


def last_user_text(task: Task) -> str:
    """The last thing the user said."""
    said = [turn.text for turn in task.turns if isinstance(turn, User)]
    return said[-1] if said else ""


def _reason(task: Task, turn: Assistant | None, result: Score) -> str:
    """What is wrong, in words; empty when nothing is."""
    if turn is None:
        return ""
    if not result.em:
        if turn.decision != "call" or task.decision != "call":
            return f"{task.decision} is right, not {turn.decision}"
        wanted = " + ".join(sorted(call.name for call in task.golds[0].calls))
        return f"{wanted} is right, not {' + '.join(sorted(call.name for call in turn.calls))}"
    return "right tool, wrong arguments" if result.args == 0 else ""


def _gold_text(gold: Gold) -> str:
    """The first accepted spelling of a gold."""
    calls = [(call.name, {k: v[0] for k, v in call.arguments.items()}) for call in gold.calls]
    return _decision_text(gold.decision, gold.thought, calls)


def _turn_text(turn: Assistant) -> str:
    calls = [(call.name, call.arguments) for call in turn.calls]
    return _decision_text(turn.decision, turn.thought, calls, turn.text)


def _decision_text(
    decision: str, thought: str, calls: Sequence[tuple[str, dict[str, object]]], text: str = ""
) -> str:
    spelled = [f"{name}({json.dumps(given, ensure_ascii=False)})" for name, given in calls]
    parts = [" + ".join(spelled) or decision, thought and f"[{thought}]", text]
    return " ".join(part for part in parts if part)


def _printable(text: str) -> str:
    """Half of a surrogate pair is something a model may say and a file cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
