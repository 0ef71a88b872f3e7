"""One answer of one model with its score: the line that a person reads to see why."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, BadInput, Decision, PromptSpec, Record, User
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
    def without_texts(self) -> "ScoredAnswer":
        """The numbers alone: the texts are most of a line."""
        return msgspec.structs.replace(self, reason="", query="", gold="", decision="", answer="")


def read_answers(path: Path, known: set[str] | None = None) -> Answers:
    """Answers by task. One to a task that is not `known`, or a second one, stops with its line."""
    answers: dict[str, Answer] = {}
    for line, answer in enumerate(jsonl.read(path, Answer), 1):
        if known is not None and answer.task not in known:
            raise BadInput(f"{path}:{line}: task: no suite has a task {answer.task!r}")
        if answer.task in answers:
            raise BadInput(f"{path}:{line}: task: two answers to {answer.task!r}")
        answers[answer.task] = answer
    return answers


def score_answers(
    suite: Suite, model: str, answers: Answers, text_scorer: TextScorer, lam: float
) -> Iterator[ScoredAnswer]:
    """A line for every task, answered or not, in order of their ids."""
    for task in sorted(suite.tasks, key=lambda task: task.id):
        prompt, answer = suite.prompt(task), answers.get(task.id)
        yield score_answer(suite.name, model, task, prompt, answer, text_scorer, lam)


def score_answer(
    suite: str,
    model: str,
    task: Task,
    prompt: PromptSpec,
    answer: Answer | None,
    text_scorer: TextScorer,
    lam: float,
) -> ScoredAnswer:
    parsed = parse_answer(prompt, answer)
    result = score_turn(task, parsed.turn, text_scorer, lam)
    return ScoredAnswer(
        suite=suite,
        model=model,
        task=task.id,
        group=prompt.id,
        kind=task.kind,
        language=prompt.language,
        template=prompt.template,
        tool_format=prompt.tool_format,
        reply_format=prompt.reply_format,
        wanted=task.decision,
        outcome=parsed.verdict,
        score=result,
        axes=task.axes,
        reason=_replace_surrogates(parsed.reason or _explain(task, parsed.turn, result)),
        query=last_user_text(task),
        gold=_replace_surrogates(" or ".join(_format_gold(gold) for gold in task.golds)),
        decision=_replace_surrogates(_format_turn(parsed.turn)) if parsed.turn else "",
        answer=answer.text if answer else "",
        missing=answer is None,
    )


def last_user_text(task: Task) -> str:
    """Empty where the user has said nothing."""
    texts = [turn.text for turn in task.turns if isinstance(turn, User)]
    return texts[-1] if texts else ""


def _explain(task: Task, turn: Assistant | None, result: Score) -> str:
    """What is wrong with the answer, in words; empty where nothing is."""
    if turn is None:
        return ""
    if not result.em:
        if turn.decision != "call" or task.decision != "call":
            return f"{task.decision} is right, not {turn.decision}"
        wanted = " + ".join(sorted(call.name for call in task.golds[0].calls))
        return f"{wanted} is right, not {' + '.join(sorted(call.name for call in turn.calls))}"
    return "right tool, wrong arguments" if result.call_exact_match == 0 else ""


def _format_gold(gold: Gold) -> str:
    """A gold with the first accepted value of every argument."""
    calls = [(call.name, {k: v[0] for k, v in call.arguments.items()}) for call in gold.calls]
    return _format_decision(gold.decision, gold.thought, calls)


def _format_turn(turn: Assistant) -> str:
    calls = [(call.name, call.arguments) for call in turn.calls]
    return _format_decision(turn.decision, turn.thought, calls, turn.text)


def _format_decision(
    decision: str, thought: str, calls: Sequence[tuple[str, dict[str, object]]], text: str = ""
) -> str:
    written = [f"{name}({json.dumps(given, ensure_ascii=False)})" for name, given in calls]
    parts = [" + ".join(written) or decision, thought and f"[{thought}]", text]
    return " ".join(part for part in parts if part)


def _replace_surrogates(text: str) -> str:
    """A model may write half of a surrogate pair, and UTF-8 cannot encode it."""
    return text.encode("utf-8", "replace").decode("utf-8")
