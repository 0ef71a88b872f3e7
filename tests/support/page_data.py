"""Many answers to the shop's tasks, for a page of them: hostile ones too."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.pages import answers
from benchmark.pages.row_page import Page
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.scorers import Score
from benchmark.scoring.task_score import ScoredAnswer, last_user_text
from benchmark.tasks.suites import Suite, Task
from tests.support import report_data
from tests.support.report_data import HOSTILE

SAID = '\n<tool_call>\n{"name": "add_to_cart", "arguments": {"product": "Solveig fleece blanket"}}'
EVIL = "shop/home.30"  # the task whose answers and query are hostile


def build_page(count: int, base: Path) -> Page:
    """`count` tasks, each with an answer of about 400 characters by both models."""
    suite = report_data.read_suite("shop")
    chat = ChatTokenizer(base / "tokenizer.json")
    shared = {
        id: chat.tokenizer.decode(chat.prefix(prompt), skip_special_tokens=False)
        for id, prompt in suite.specs.items()
    }
    pairs = list(list_pairs(suite, count))
    prompts = {
        first.task: (shared[first.group], f"<|im_start|>user\n{first.query}<|im_end|>")
        for first, _ in pairs
    }
    return answers.build_page("Answers", ("base", "tuned"), pairs, {"shop": suite}, prompts)


def list_pairs(suite: Suite, count: int) -> Iterator[tuple[ScoredAnswer, ScoredAnswer]]:
    for number in range(count):
        task = suite.tasks[number % len(suite.tasks)]
        id = f"{task.id}.{number}" if number >= len(suite.tasks) else task.id
        base, tuned = (score(task, id, model) for model in ("base", "tuned"))
        yield (
            msgspec.structs.replace(base, score=Score(int(number % 10 == 0))),
            msgspec.structs.replace(tuned, score=Score(int(number % 7 != 0))),
        )


def score(task: Task, id: str, model: str) -> ScoredAnswer:
    query = HOSTILE if id == EVIL else last_user_text(task)
    return ScoredAnswer(
        suite="shop",
        model=model,
        task=id,
        group=task.prompt,
        kind=task.kind,
        language="en",
        template="native",
        tool_format="native",
        reply_format="native",
        wanted=task.decision,
        outcome=Verdict.CALL if model == "tuned" else Verdict.NO_CALL,
        score=Score(0),
        axes=task.axes,
        reason=f"{task.decision} is right, not no_call",
        query=query,
        gold=HOSTILE if id == EVIL else 'add_to_cart({"product": "Solveig fleece blanket"})',
        decision='add_to_cart({"product": "Solveig blanket"}) [I should add it.]',
        answer=HOSTILE if id == EVIL else f"I should do what {model} does. {query}{SAID}",
    )
