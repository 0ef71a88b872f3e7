"""A few candidates, and the review and rating of them, for tests."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.validation import TrajectoryValidator
from agent_tuning.records import Tool, User
from benchmark.annotation.rating import rate_pages, rated_answers, results
from benchmark.annotation.rating.rubric import Judgement
from benchmark.annotation.review import queue, review_pages
from benchmark.annotation.review.priority import WordOverlapLimits
from benchmark.annotation.review.verdicts import DoubleReview, hash_task
from benchmark.annotation.web.events import Event, Opinion, Verdict
from benchmark.annotation.web.journal import Journal
from benchmark.engines.answer import Answer
from benchmark.tasks import suites
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, GoldCall, Suite, Task
from tests.conftest import CLOCK, WEATHER

TRIP = Tool(
    "plan_trip",
    "Plan a trip of some days.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 2},
            "days": {"type": "integer", "minimum": 1, "description": "nights + 1"},
            "stops": {"type": "array", "items": {"type": "string"}},
            "season": {"type": "string", "enum": ["summer", "winter"]},
        },
        "required": ["city", "days"],
    },
)
PROMPT = SuitePrompt(
    id="house/g000",
    language="en",
    tools=("get_weather", "get_time", "plan_trip"),
    template="plain.en",
    tool_format="react",
    reply_format="hermes",
)
CATALOGUE = Catalogue(Path("data/catalogue"))
TOOLS = (WEATHER, CLOCK, TRIP)
DOUBLE = DoubleReview(seed=0, share=0.0)
REVIEW_CONFIG = queue.ReviewConfig(
    port=0, double=DOUBLE, ties=WordOverlapLimits(near=0.1, tempting=0.3), held=300.0
)


def build_review_section(share: float) -> dict[str, object]:
    """The section `review` of params.yaml; two people review this share of the candidates."""
    config = msgspec.structs.replace(REVIEW_CONFIG, double=DoubleReview(seed=0, share=share))
    return {"review": msgspec.to_builtins(config)}


RATING_CONFIG = results.RatingConfig(
    port=0, seed=1, tasks=10, shared=20, min_alpha=0.667, bootstrap=200
)


def task(name: str, query: str = "", gold: Gold | None = None) -> Task:
    call = GoldCall("plan_trip", {"city": (name,), "days": (3,)})
    return Task(
        id=f"house/{name}",
        prompt=PROMPT.id,
        turns=(User(query or f"Three days in {name}, please plan them."),),
        golds=(gold or Gold("call", f"Plan three days in {name}.", (call,)),),
        kind="call",
    )


CITIES = ("Oslo", "Rome", "Lima", "Bonn", "Kyiv", "Riga", "Bern", "Cork", "Nice", "Pisa", "Graz")


def suite(tasks: Sequence[Task] = ()) -> Suite:
    return Suite(
        "candidates",
        {tool.name: tool for tool in TOOLS},
        {PROMPT.id: PROMPT},
        tuple(tasks) or tuple(map(task, CITIES)),
    )


def write_suite(folder: Path, tasks: Sequence[Task] = ()) -> Suite:
    suites.write(folder, suite(tasks))
    return suites.read(folder)


def review_event(of: Suite, task: Task, who: str, opinion: Opinion, number: int = 1) -> Event:
    return Event(task.id, who, number, "2026-01-01", after=opinion, shown=hash_task(of, task))


def correction(task: Task, **arguments: tuple[object, ...]) -> Verdict:
    call = task.golds[0].calls[0]
    call = msgspec.structs.replace(call, arguments={**call.arguments, **arguments})
    return Verdict("correct", (msgspec.structs.replace(task.golds[0], calls=(call,)),))


TWICE = msgspec.structs.replace(REVIEW_CONFIG, double=DoubleReview(seed=0, share=1.0))


def open_review(folder: Path, of: Suite, p: queue.ReviewConfig = REVIEW_CONFIG, **scores: int):
    """The pages and the queue of `of`, with its journal in `folder`; `scores` are the judge's."""
    journal = Journal(folder / "review.db", folder / "reviews.jsonl")
    judgements = {
        f"house/{name}": Judgement(f"house/{name}", score) for name, score in scores.items()
    }
    validator = TrajectoryValidator(CATALOGUE, ContaminationFilter((), 1.0))
    review_queue = queue.ReviewQueue(of, judgements, journal, p, validator.is_grounded)
    return review_pages.build_pages(review_queue), review_queue


def open_rating(folder: Path, of: Suite, texts: dict[str, str]):
    """The pages and the sheet of versions that answer every task with their text."""
    answers = {
        version: {task.id: Answer(task.id, text.format(task.id)) for task in of.tasks}
        for version, text in texts.items()
    }
    journal = Journal(folder / "rate.db", folder / "ratings.jsonl")
    drawn = rated_answers.draw_sheet(of.tasks, answers, RATING_CONFIG.tasks, RATING_CONFIG.seed)
    sheet = rate_pages.RatingSheet(of, drawn, {}, journal, RATING_CONFIG)
    return rate_pages.build_pages(sheet), sheet
