"""The training data that the committed parameters give, for tests of data and synthesis.

No model runs: general questions lack the reply that the stage `self_replies` would add.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.chat_model.messages import Ask, ChatModel, Reply
from agent_tuning.files import yaml_records
from agent_tuning.quality import verify
from agent_tuning.quality.decontamination import ContaminationFilter, DecontaminationConfig
from agent_tuning.quality.validation import TrajectoryValidator
from agent_tuning.records import Group
from agent_tuning.runtime import config
from agent_tuning.synthesis import negative_selection
from agent_tuning.synthesis.diversify import DiversifyConfig, diversify
from agent_tuning.synthesis.general_questions import GeneralQuestions
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.planner import PlanConfig, Planner
from agent_tuning.synthesis.teachers import GroupRequest
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle
from agent_tuning.synthesis.teachers.select import SynthesizeConfig
from benchmark.drafting.draft_sources import DraftSources
from benchmark.sources.derived_suites import list_task_queries
from benchmark.tasks import suites

CATALOGUE = Catalogue(Path("data/catalogue"))
PHRASING = yaml_records.read(Path("data/phrasing.yaml"), Phrasing)
GENERAL_QUESTIONS = yaml_records.read(Path("data/general.yaml"), GeneralQuestions)
HOUSE = suites.read(Path("benchmark/suites/house"))
PLAN = config.load("plan", PlanConfig, recipe="general")
VERIFY = config.load("verify", verify.VerifyConfig, recipe="general")
NEGATIVES = config.load("add_hard_negatives", negative_selection.NegativesConfig, recipe="general")
DIVERSIFY = config.load("diversify", DiversifyConfig, recipe="general")
HELD_OUT = config.load("held_out", HeldOut, recipe="general")
DRAFT_SOURCES = DraftSources(
    CATALOGUE,
    PHRASING,
    GENERAL_QUESTIONS,
    HELD_OUT,
)
PLAIN_STYLE = WritingStyle(
    seed=3, final_reply_rate=1.0, greeting_rate=0.0, closing_rate=0.0, typo_rate=0.0
)


def teacher(style: WritingStyle = PLAIN_STYLE) -> ScriptedTeacher:
    return ScriptedTeacher(CATALOGUE, PHRASING, style)


def perfect_answers(
    author: Author, requests: Iterable[GroupRequest], model: ChatModel
) -> dict[str, str]:
    """What a perfect model answers to every question of these requests, by the question's key."""
    answers: dict[str, str] = {}
    for request in requests:
        tools = author.scripted.prompt(request).tools
        for item in request.items:
            scripted = author.scripted_answers(item, request.language)

            def answer(ask: Ask, scripted: Iterator[str] = scripted) -> Reply:
                sent = model.build_request(ask)
                answers[sent.key] = next(scripted)
                return Reply(sent.key, ask.name, model.name, answers[sent.key], "stop", 0, 0)

            author.write_positive(item, request.language, tools, answer)
    return answers


@cache
def contamination_filter() -> ContaminationFilter:
    """Around the committed house suite."""
    return ContaminationFilter(
        list_task_queries(HOUSE),
        config.load("decontamination", DecontaminationConfig).near_benchmark,
    )


@cache
def planner() -> Planner:
    """After it has planned everything."""
    planner = Planner(CATALOGUE, PLAN, HELD_OUT.tools)
    _requests.extend(request for language in PLAN.groups for request in planner.requests(language))
    return planner


_requests: list[GroupRequest] = []


def requests() -> list[GroupRequest]:
    planner()
    return _requests


@cache
def raw_groups() -> list[Group]:
    style = config.load("synthesize", SynthesizeConfig, recipe="general").style
    return list(map(teacher(style).group, requests()))


@cache
def verified_groups() -> tuple[list[Group], list[verify.Reject]]:
    """The groups that `verify` keeps, and its rejects."""
    validator = TrajectoryValidator(CATALOGUE, contamination_filter())
    problems = verify.find_problems(raw_groups(), validator, VERIFY.near_duplicate)
    rejects = list(verify.reject_groups(raw_groups(), problems, VERIFY.positives))
    pairs = zip(raw_groups(), rejects, strict=True)
    sound = [group for group, of_group in pairs if not of_group]
    return sound, [reject for of_group in rejects for reject in of_group]


def add_negatives(groups: list[Group]) -> list[Group]:
    """The groups, each with its hard negative, in order of their ids."""
    added = negative_selection.add_negatives(
        groups,
        GENERAL_QUESTIONS.asked("train"),
        teacher(NEGATIVES.style),
        contamination_filter(),
        NEGATIVES,
    )
    return sorted(added, key=lambda group: group.id)


@cache
def groups_with_negatives() -> list[Group]:
    return add_negatives(verified_groups()[0])


@cache
def diversified_groups() -> list[Group]:
    return list(diversify(groups_with_negatives(), DIVERSIFY, HELD_OUT))
