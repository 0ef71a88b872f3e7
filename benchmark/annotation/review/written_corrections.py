"""Corrections as written examples: the files that `make wordings` writes and training reads."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, get_args

from agent_tuning.records import Assistant, Call, Language, PromptSpec, Turn, User
from agent_tuning.synthesis.written_checks import ExampleChecks
from agent_tuning.synthesis.written_examples import Kind, SpokenMessage, WrittenExample
from benchmark.annotation.review.reviewed_tasks import ReviewedTask
from benchmark.tasks.suites import GoldCall, Suite, Task


class Unfit(ValueError):
    """Why a correction makes no example: `reason: detail`."""


class ConvertedCorrection(NamedTuple):
    """A correction with its example, or with the reason why there is none."""

    task: str
    example: WrittenExample | None
    reason: str = ""


def convert_corrections(
    candidates: Suite,
    reviewed: Iterable[ReviewedTask],
    checks: ExampleChecks,
    language: Language,
) -> Iterator[ConvertedCorrection]:
    """Every correction. `checks` know the tools and the suite; examples are in one `language`."""
    for result in reviewed:
        task = result.outcome.task
        if result.outcome.state in ("open", "rejected") or task == result.draft:
            continue
        if task is None or result.flags:  # people do not agree, or somebody has to look first
            yield ConvertedCorrection(result.draft.id, None, result.describe_unsettled())
            continue
        try:
            example = _convert(task, candidates.prompt(task), result.outcome.reply, language)
            if problem := checks.find_problem(example):
                raise Unfit(problem)
            if task.kind == "tool_unavailable" and not _offers_all(candidates.prompt(task), checks):
                raise Unfit("other_tools: a tool that the prompt does not list may do it")
        except Unfit as error:
            yield ConvertedCorrection(task.id, None, str(error))
        else:
            yield ConvertedCorrection(task.id, example)


def _convert(task: Task, prompt: PromptSpec, reply: str, language: Language) -> WrittenExample:
    gold = task.golds[0]
    if prompt.language != language:
        raise Unfit(f"language: {prompt.language}; written examples are in {language}")
    kind = next((kind for kind in get_args(Kind) if kind == task.kind), None)
    if kind is None:
        raise Unfit(f"kind: written examples have no {task.kind}")
    if gold.decision != "call" and not reply:
        raise Unfit("no_reply: nobody wrote what the user should read")
    *before, last = task.turns
    if not isinstance(last, User):
        raise Unfit("tool_results: the dialogue goes on after a result")
    golds = [tuple(map(_build_call, other.calls)) for other in task.golds if other.calls]
    try:
        return WrittenExample(
            query=last.text,
            kind=kind,
            decision=gold.decision,
            thought=gold.thought,
            calls=tuple(map(_build_call, gold.calls)),
            text="" if gold.calls else reply,
            history=tuple(map(_build_message, before)),
            also_right=tuple(golds[1:]) if gold.calls else (),
        )
    except Unfit:
        raise
    except ValueError as error:  # the record's own checks
        raise Unfit(f"form: {error}") from error


def _build_message(turn: Turn) -> SpokenMessage:
    if isinstance(turn, User):
        return SpokenMessage("user", turn.text)
    if isinstance(turn, Assistant) and not turn.calls:
        return SpokenMessage("assistant", turn.text)
    raise Unfit("tool_results: the dialogue has a call or a result")


def _build_call(call: GoldCall) -> Call:
    return Call(call.name, {name: accepted[0] for name, accepted in call.arguments.items()})


def _offers_all(prompt: PromptSpec, checks: ExampleChecks) -> bool:
    return {tool.name for tool in checks.tools} <= {tool.name for tool in prompt.tools}
