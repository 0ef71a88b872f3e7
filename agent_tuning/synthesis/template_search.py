"""The template factory: a teacher words new agent templates, a judge says which are kept.

`python -m agent_tuning.synthesis.template_search GROUPS STORE FOLDER` (or `make templates`)

reads   params.yaml: factory, and synthesize for the chat model;  GROUPS: whose queries are asked
writes  FOLDER/made_*.jinja, for a person to review;  STORE: what the chat model was paid for

A candidate is kept if the answers under it are better than those under a known template by more
than epsilon. A teacher's text is untrusted: it is words around two slots, or nothing.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, NamedTuple, Protocol

import msgspec

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price, price_of
from agent_tuning.chat_model.messages import ChatModel, Service
from agent_tuning.files import jsonl
from agent_tuning.prompts import system_prompt, template_check
from agent_tuning.prompts.formats import MalformedReply
from agent_tuning.prompts.formats.reading import read_json_object
from agent_tuning.records import Group, Language, PromptSpec, Record, Tool
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.teachers.author import LANGUAGE_NAMES

Messages = list[dict[str, str]]


class Completer(Protocol):
    def complete(self, messages: Messages, /) -> str:
        """What the model says next."""


class TemplateSearchConfig(Record, frozen=True):
    seed: int
    wanted: dict[Language, int]
    known: dict[Language, str]
    attempts: int
    max_chars: int
    questions: int
    epsilon: float
    tool_format: str
    reply_format: str


class Endpoint(Record, frozen=True, forbid_unknown_fields=False):
    """What `synthesize` says about the chat model."""

    model: ChatModel
    service: Service
    budget: float | None
    prices: dict[str, Price]


class Grade(Record, frozen=True, forbid_unknown_fields=False):
    score: Annotated[float, msgspec.Meta(ge=0, le=10)]


class Question(NamedTuple):
    tools: tuple[Tool, ...]
    query: str


class Verdict(NamedTuple):
    """`gain` is in points of 0-10; without one, `text` is no template and `reason` says why."""

    text: str
    kept: bool
    reason: str
    gain: float | None = None


class TemplateSearch:
    def __init__(self, teacher: Completer, judge: Completer, p: TemplateSearchConfig) -> None:
        self.teacher = teacher
        self.judge = judge
        self.p = p

    def verdicts(self, language: Language, questions: Sequence[Question]) -> Iterator[Verdict]:
        """One for each template that is wanted; the known one is graded once."""
        known = system_prompt.template_text(self.p.known[language])
        marks = list(self.grade_answers(known, language, questions))
        for number in range(self.p.wanted[language]):
            text, problem = self.propose(language, number)
            if problem:
                yield Verdict(text, False, problem)
            else:
                yield self._compared(
                    text, marks, list(self.grade_answers(text, language, questions))
                )

    def propose(self, language: Language, number: int) -> tuple[str, str | None]:
        """A text, and what is still wrong with it after the last attempt."""
        rng = random.Random(f"{self.p.seed}:{language}:{number}")
        texts = [
            system_prompt.template_text(name) for name in system_prompt.template_names(language)
        ]
        asked = system_prompt.fill_template(
            "factory/propose",
            language=LANGUAGE_NAMES[language],
            max_chars=self.p.max_chars,
            known=rng.sample(texts, min(3, len(texts))),
            number=number + self.p.seed,
        )
        messages = [chat_message("user", asked)]
        text, problem = "", None
        for _ in range(self.p.attempts):
            text = strip_code_fence(self.teacher.complete(messages))
            problem = self.problem(text, language, texts)
            if problem is None:
                break
            mend = system_prompt.fill_template("factory/mend", problem=problem)
            messages += [chat_message("assistant", text), chat_message("user", mend)]
        return text, problem

    def problem(self, text: str, language: Language, known: Sequence[str]) -> str | None:
        """Why a text is no new template; None if it is one."""
        if len(text) > self.p.max_chars:
            return f"it has {len(text)} characters, more than {self.p.max_chars}"
        if text in known:
            return "it exists already"
        return template_check.find_problem(text, language)

    def grade_answers(
        self, text: str, language: Language, questions: Iterable[Question]
    ) -> Iterator[float | None]:
        """The judge's grade of each answer under a template, 0-10; None if it gave none."""
        p = self.p
        for question in questions:
            spec = PromptSpec("", language, question.tools, "", p.tool_format, p.reply_format)
            prompt = system_prompt.build_from_text(text, spec)
            answer = self.teacher.complete(
                [chat_message("system", prompt), chat_message("user", question.query)]
            )
            asked = system_prompt.fill_template(
                "factory/judge",
                tools=system_prompt.tool_list(question.tools, p.tool_format),
                format=system_prompt.reply_instructions(p.reply_format, language),
                query=question.query,
                answer=answer,
            )
            yield read_grade(self.judge.complete([chat_message("user", asked)]))

    def _compared(
        self, text: str, before: Sequence[float | None], now: Sequence[float | None]
    ) -> Verdict:
        """Over the questions that the judge graded under both templates."""
        pairs = zip(before, now, strict=True)
        gains = [new - old for old, new in pairs if old is not None and new is not None]
        if not gains:
            return Verdict(text, False, "the judge graded no answer")
        gain = fmean(gains)
        kept = gain > self.p.epsilon
        reason = f"{gain:+.2f} points on {len(gains)} questions; more than {self.p.epsilon} wanted"
        return Verdict(text, kept, reason, gain)


def chat_message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def strip_code_fence(text: str) -> str:
    """Without the code fence that chat models like to put around a text."""
    lines = text.strip().split("\n")
    if len(lines) > 2 and lines[0].startswith("```") and lines[-1] == "```":
        lines = lines[1:-1]
    return "\n".join(lines).strip()


def read_grade(text: str) -> float | None:
    """The score in the judge's JSON, 0-10; None if there is none."""
    try:
        value, _ = read_json_object(text, max(text.find("{"), 0))
        return msgspec.convert(value, Grade).score
    except (MalformedReply, msgspec.ValidationError):
        return None


def draw_questions(
    groups: Iterable[Group], language: Language, p: TemplateSearchConfig
) -> list[Question]:
    """The same queries for every candidate, hard negatives among them."""
    every = [
        Question(group.tools, one.query)
        for group in groups
        if group.language == language and group.tools
        for one in group.trajectories
    ]
    rng = random.Random(f"{p.seed}:{language}")
    return rng.sample(every, min(p.questions, len(every)))


def name_template(text: str, language: Language) -> str:
    return f"made_{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}.{language}"


def write_kept_templates(
    factory: TemplateSearch, groups: Sequence[Group], folder: Path
) -> Iterator[tuple[str, Verdict]]:
    """Write the kept templates into the folder; every verdict with its name."""
    for language in factory.p.wanted:
        questions = draw_questions(groups, language, factory.p)
        for verdict in factory.verdicts(language, questions):
            title = name_template(verdict.text, language)
            if verdict.kept:
                (folder / f"{title}.jinja").write_text(f"{verdict.text}\n", encoding="utf-8")
            yield title, verdict


def main(groups: Path, store: Path, folder: Path) -> None:
    p = config.load("factory", TemplateSearchConfig)
    endpoint = config.load("synthesize", Endpoint)
    # The client takes a second to import, and tests of the search need none.
    from agent_tuning.chat_model.single_chat import SingleChat

    model = msgspec.structs.replace(endpoint.model, structured=False)  # a template is no JSON
    price = price_of(model.name, endpoint.prices, endpoint.budget)
    with SingleChat(model, endpoint.service, price, endpoint.budget, AnswerStore(store)) as chat:
        for title, verdict in write_kept_templates(
            TemplateSearch(chat, chat, p), list(jsonl.read(groups, Group)), folder
        ):
            print(f"{title}: {'kept' if verdict.kept else 'not kept'}: {verdict.reason}")


if __name__ == "__main__":
    cli.run(main)
