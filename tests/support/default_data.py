"""The training data as the committed parameters make it, for tests of the data side.

Without a model: an everyday question stands here without the reply that `rehearse` would add.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.chat_model.messages import Ask, ChatModel, Reply
from agent_tuning.files import yaml_records
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.validation import TrajectoryValidator
from agent_tuning.records import Group
from agent_tuning.runtime import config
from agent_tuning.synthesis.general_questions import GeneralQuestions
from agent_tuning.synthesis.teachers import GroupRequest
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle
from benchmark.drafting.draft_sources import DraftSources, TrainingFormats, TrainingTools
from benchmark.sources.derived_suites import list_task_queries
from benchmark.tasks import suites
from stages import diversify, negatives, plan, synthesize, verify

CATALOGUE = Catalogue(Path("data/catalogue"))
PHRASING = yaml_records.read(Path("data/phrasing.yaml"), Phrasing)
GENERAL_QUESTIONS = yaml_records.read(Path("data/general.yaml"), GeneralQuestions)
HOUSE = suites.read(Path("benchmark/suites/house"))
PLAN = config.load("plan", plan.PlanConfig)
VERIFY = config.load("verify", verify.VerifyConfig)
NEGATIVES = config.load("negatives", negatives.NegativesConfig)
DIVERSIFY = config.load("diversify", diversify.DiversifyConfig)
DRAFT_SOURCES = DraftSources(
    CATALOGUE,
    PHRASING,
    GENERAL_QUESTIONS,
    config.load("plan", TrainingTools).held_out_tools,
    config.load("diversify", TrainingFormats).held_out,
)
PLAIN_STYLE = WritingStyle(seed=3, replies=1.0, opened=0.0, closed=0.0, mistyped=0.0)


def teacher(style: WritingStyle = PLAIN_STYLE) -> ScriptedTeacher:
    return ScriptedTeacher(CATALOGUE, PHRASING, style)


def perfect_answers(
    author: Author, requests: Iterable[GroupRequest], model: ChatModel
) -> dict[str, str]:
    """What a perfect model answers to every question of these requests, by the question's key."""
    answers: dict[str, str] = {}
    for request in requests:
        menu = author.scripted.prompt(request).tools
        for item in request.items:
            rehearsed = author.scripted_answers(item, request.language)

            def answer(ask: Ask, rehearsed: Iterator[str] = rehearsed) -> Reply:
                sent = model.sent(ask)
                answers[sent.key] = next(rehearsed)
                return Reply(sent.key, ask.name, model.name, answers[sent.key], "stop", 0, 0)

            author.write_positive(item, request.language, menu, answer)
    return answers


@cache
def contamination_filter() -> ContaminationFilter:
    """Around the committed house suite."""
    return ContaminationFilter(list_task_queries(HOUSE), VERIFY.near_benchmark)


@cache
def planner() -> plan.Planner:
    """After it has planned everything."""
    planner = plan.Planner(CATALOGUE, PLAN)
    _requests.extend(request for language in PLAN.groups for request in planner.requests(language))
    return planner


_requests: list[GroupRequest] = []


def requests() -> list[GroupRequest]:
    planner()
    return _requests


@cache
def raw_groups() -> list[Group]:
    style = config.load("synthesize", synthesize.SynthesizeConfig).style
    return list(map(teacher(style).group, requests()))


@cache
def verified_groups() -> tuple[list[Group], list[verify.Reject]]:
    found = verify.find_problems(
        raw_groups(), TrajectoryValidator(CATALOGUE, contamination_filter()), VERIFY.near_duplicate
    )
    wrong = list(verify.reject_groups(raw_groups(), found, VERIFY.positives))
    sound = [group for group, reasons in zip(raw_groups(), wrong, strict=True) if not reasons]
    return sound, [reject for reasons in wrong for reject in reasons]


def add_negatives(groups: list[Group]) -> list[Group]:
    """The groups, each with its hard negative, in order of their ids."""
    found = negatives.add_negatives(
        groups,
        GENERAL_QUESTIONS.asked("train"),
        teacher(NEGATIVES.style),
        contamination_filter(),
        NEGATIVES,
    )
    return sorted(found, key=lambda group: group.id)


@cache
def groups_with_negatives() -> list[Group]:
    return add_negatives(verified_groups()[0])


@cache
def diversified_groups() -> list[Group]:
    return list(diversify.diversify(groups_with_negatives(), DIVERSIFY))
