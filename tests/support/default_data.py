"""The training data as the committed parameters make it, for tests of the data side.

Without a model: an everyday question stands here without the reply that `rehearse` would add.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.chat_model.messages import Ask, Model, Reply
from agent_tuning.files import yaml_records
from agent_tuning.quality.decontamination import Fence
from agent_tuning.quality.validation import Checks
from agent_tuning.records import Group
from agent_tuning.runtime import config
from agent_tuning.synthesis.general_questions import Everyday
from agent_tuning.synthesis.teachers import Request
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.scripted import Scripted, Style
from benchmark.tasks import suites
from stages import diversify, negatives, plan, synthesize, verify
from stages import suites as suite_stage

CATALOGUE = Catalogue(Path("data/catalogue"))
PHRASING = yaml_records.read(Path("data/phrasing.yaml"), Phrasing)
EVERYDAY = yaml_records.read(Path("data/general.yaml"), Everyday)
HOUSE = suites.read(Path("benchmark/suites/house"))
PLAN = config.load("plan", plan.Params)
VERIFY = config.load("verify", verify.Params)
NEGATIVES = config.load("negatives", negatives.Params)
DIVERSIFY = config.load("diversify", diversify.Params)
PLAIN = Style(seed=3, replies=1.0, opened=0.0, closed=0.0, mistyped=0.0)


def teacher(style: Style = PLAIN) -> Scripted:
    return Scripted(CATALOGUE, PHRASING, style)


def perfect(author: Author, requests: Iterable[Request], model: Model) -> dict[str, str]:
    """What a perfect model answers to every question of these requests, by the question's key."""
    answers: dict[str, str] = {}
    for request in requests:
        menu = author.scripted.prompt(request).tools
        for item in request.items:
            rehearsed = author.rehearsed(item, request.language)

            def answer(ask: Ask, rehearsed: Iterator[str] = rehearsed) -> Reply:
                sent = model.sent(ask)
                answers[sent.key] = next(rehearsed)
                return Reply(sent.key, ask.name, model.name, answers[sent.key], "stop", 0, 0)

            author.positive(item, request.language, menu, answer)
    return answers


@cache
def fence() -> Fence:
    """Around the committed house suite."""
    return Fence(suite_stage.protected(HOUSE), VERIFY.near_benchmark)


@cache
def planner() -> plan.Planner:
    """After it has planned everything."""
    planner = plan.Planner(CATALOGUE, PLAN)
    _requests.extend(request for language in PLAN.groups for request in planner.requests(language))
    return planner


_requests: list[Request] = []


def requests() -> list[Request]:
    planner()
    return _requests


@cache
def raw() -> list[Group]:
    style = config.load("synthesize", synthesize.Params).style
    return list(map(teacher(style).group, requests()))


@cache
def sifted() -> tuple[list[Group], list[verify.Reject]]:
    found = verify.problems(raw(), Checks(CATALOGUE, fence()), VERIFY.near_duplicate)
    wrong = list(verify.rejects(raw(), found, VERIFY.positives))
    sound = [group for group, reasons in zip(raw(), wrong, strict=True) if not reasons]
    return sound, [reject for reasons in wrong for reject in reasons]


def negatives_of(groups: list[Group]) -> list[Group]:
    """The groups, each with its hard negative, in order of their ids."""
    found = negatives.with_negatives(
        groups, EVERYDAY.asked("train"), teacher(NEGATIVES.style), fence(), NEGATIVES
    )
    return sorted(found, key=lambda group: group.id)


@cache
def with_negatives() -> list[Group]:
    return negatives_of(sifted()[0])


@cache
def diverse() -> list[Group]:
    return list(diversify.diversify(with_negatives(), DIVERSIFY))
