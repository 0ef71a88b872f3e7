"""Template search: a teacher writes new prompt templates, and a judge decides which are kept.

`python -m agent_tuning.synthesis.template_search GROUPS STORE FOLDER` (or `make templates`)

reads   params.yaml: template_search, chat_model;  GROUPS: whose queries are asked
writes  FOLDER/made_*.jinja, for a person to review;  STORE: the answers that were paid for

A candidate is kept if the judge grades the answers under it higher than those under a known
template, by more than `epsilon`. A teacher's text is untrusted: it must be plain words around two
slots.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, NamedTuple, Protocol

import msgspec

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import find_price
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.files import atomic_write, jsonl
from agent_tuning.prompts import system_prompt, template_check
from agent_tuning.prompts.formats import MalformedReply
from agent_tuning.prompts.formats.reading import read_json_object
from agent_tuning.records import Group, Language, PromptSpec, Record, Tool
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import AtLeastOne, Count, Seed, Share
from agent_tuning.synthesis.teachers.author import LANGUAGE_NAMES

Messages = list[dict[str, str]]


class Completer(Protocol):
    def complete(self, messages: Messages, /) -> str:
        """The reply of a chat model to a conversation."""


class TemplateSearchConfig(Record, frozen=True):
    """The section `template_search` of params.yaml, where each key is explained."""

    seed: Seed
    wanted: dict[Language, Count]
    known: dict[Language, str]
    attempts: AtLeastOne
    max_chars: AtLeastOne
    questions: AtLeastOne
    epsilon: Share
    tool_format: str
    reply_format: str


class Grade(Record, frozen=True, forbid_unknown_fields=False):
    score: Annotated[float, msgspec.Meta(ge=0, le=10)]


class Question(NamedTuple):
    tools: tuple[Tool, ...]
    query: str


class Verdict(NamedTuple):
    """Whether a candidate is kept.

    `gain` is in points of 0-10. It is None if there was nothing to compare; see `reason`.
    """

    text: str
    kept: bool
    reason: str
    gain: float | None = None


class TemplateSearch:
    """Proposes templates with one chat model, and grades the answers under them with another."""

    def __init__(self, teacher: Completer, judge: Completer, config: TemplateSearchConfig) -> None:
        self.teacher = teacher
        self.judge = judge
        self.config = config

    def verdicts(self, language: Language, questions: Sequence[Question]) -> Iterator[Verdict]:
        """One verdict for each template that is wanted. The known template is graded once."""
        known = system_prompt.template_text(self.config.known[language])
        known_grades = list(self.grade_answers(known, language, questions))
        for number in range(self.config.wanted[language]):
            text, problem = self.propose(language, number)
            if problem:
                yield Verdict(text, False, problem)
            else:
                grades = list(self.grade_answers(text, language, questions))
                yield self._compare(text, known_grades, grades)

    def propose(self, language: Language, number: int) -> tuple[str, str | None]:
        """A candidate, and what is still wrong with it after the last attempt (None: nothing)."""
        rng = random.Random(f"{self.config.seed}:{language}:{number}")
        known = [
            system_prompt.template_text(name) for name in system_prompt.template_names(language)
        ]
        request = system_prompt.fill_template(
            "factory/propose",
            language=LANGUAGE_NAMES[language],
            max_chars=self.config.max_chars,
            known=rng.sample(known, min(3, len(known))),
            number=number + self.config.seed,
        )
        messages = [chat_message("user", request)]
        text, problem = "", None
        for _ in range(self.config.attempts):
            text = strip_code_fence(self.teacher.complete(messages))
            problem = self.find_problem(text, language, known)
            if problem is None:
                break
            correction = system_prompt.fill_template("factory/mend", problem=problem)
            messages += [chat_message("assistant", text), chat_message("user", correction)]
        return text, problem

    def find_problem(self, text: str, language: Language, known: Sequence[str]) -> str | None:
        """Why a text is not a new template; None if it is one."""
        if len(text) > self.config.max_chars:
            return f"it has {len(text)} characters, more than {self.config.max_chars}"
        if text in known:
            return "it exists already"
        return template_check.find_problem(text, language)

    def grade_answers(
        self, text: str, language: Language, questions: Iterable[Question]
    ) -> Iterator[float | None]:
        """The judge's grade (0-10) of the answer to each question under a template.

        None if the judge's reply holds no grade.
        """
        config = self.config
        for question in questions:
            spec = PromptSpec(
                "", language, question.tools, "", config.tool_format, config.reply_format
            )
            prompt = system_prompt.build_from_text(text, spec)
            answer = self.teacher.complete(
                [chat_message("system", prompt), chat_message("user", question.query)]
            )
            request = system_prompt.fill_template(
                "factory/judge",
                tools=system_prompt.tool_list(question.tools, config.tool_format),
                format=system_prompt.reply_instructions(config.reply_format, language),
                query=question.query,
                answer=answer,
            )
            yield read_grade(self.judge.complete([chat_message("user", request)]))

    def _compare(
        self, text: str, known_grades: Sequence[float | None], grades: Sequence[float | None]
    ) -> Verdict:
        """Compare the questions whose answers the judge graded under both templates."""
        gains = [
            new - old
            for old, new in zip(known_grades, grades, strict=True)
            if old is not None and new is not None
        ]
        if not gains:
            return Verdict(text, False, "the judge graded no answer")
        gain = fmean(gains)
        epsilon = self.config.epsilon
        reason = f"{gain:+.2f} points on {len(gains)} questions; more than {epsilon} required"
        return Verdict(text, gain > epsilon, reason, gain)


def chat_message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def strip_code_fence(text: str) -> str:
    """Remove the code fence that chat models like to put around a text."""
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
    groups: Iterable[Group], language: Language, config: TemplateSearchConfig
) -> list[Question]:
    """The questions of a language, hard negatives among them: the same for every candidate."""
    questions = [
        Question(group.tools, trajectory.query)
        for group in groups
        if group.language == language and group.tools
        for trajectory in group.trajectories
    ]
    rng = random.Random(f"{config.seed}:{language}")
    return rng.sample(questions, min(config.questions, len(questions)))


def name_template(text: str, language: Language) -> str:
    return f"made_{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}.{language}"


def write_kept_templates(
    search: TemplateSearch, groups: Sequence[Group], folder: Path
) -> Iterator[tuple[str, Verdict]]:
    """Write the templates that are kept into the folder; yield every verdict with its name."""
    for language in search.config.wanted:
        questions = draw_questions(groups, language, search.config)
        for verdict in search.verdicts(language, questions):
            name = name_template(verdict.text, language)
            if verdict.kept:
                atomic_write.write_text(folder / f"{name}.jinja", f"{verdict.text}\n")
            yield name, verdict


def main(groups: Path, store: Path, folder: Path) -> None:
    p = config.load("template_search", TemplateSearchConfig)
    chat_config = config.load("chat_model", ChatModelConfig)
    # The client takes a second to import, and tests of the search need none.
    from agent_tuning.chat_model.single_chat import SingleChat

    model = msgspec.structs.replace(chat_config.model, structured=False)  # a template is no JSON
    budget = chat_config.budget
    price = find_price(model.name, chat_config.prices, budget)
    with SingleChat(model, chat_config.service, price, budget, AnswerStore(store)) as chat:
        for title, verdict in write_kept_templates(
            TemplateSearch(chat, chat, p), list(jsonl.read(groups, Group)), folder
        ):
            print(f"{title}: {'kept' if verdict.kept else 'not kept'}: {verdict.reason}")


if __name__ == "__main__":
    cli.run(main)
