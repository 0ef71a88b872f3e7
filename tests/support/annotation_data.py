"""A few candidates and the people who look at them, for the tests of review and rating."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import jsonl
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
from benchmark.tasks.suites import Gold, GoldCall, Suite, Task, ToolEntry
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
        },
        "required": ["city", "days"],
    },
)
CATALOGUE = Catalogue(Path("data/catalogue"))
TOOLS = (WEATHER, CLOCK, TRIP)
DOUBLE = DoubleReview(seed=0, share=0.0)
REVIEW_CONFIG = queue.ReviewConfig(
    port=0, double=DOUBLE, ties=WordOverlapLimits(near=0.1, tempting=0.3), held=300.0
)
RATING_CONFIG = results.RatingConfig(port=0, seed=1, tasks=10, min_alpha=0.667, bootstrap=200)


def task(name: str, query: str = "", gold: Gold | None = None) -> Task:
    called = GoldCall("plan_trip", {"city": (name,), "days": (3,)})
    return Task(
        id=f"house/{name}",
        group="house/g000",
        menu=tuple(tool.name for tool in TOOLS),
        language="en",
        turns=(User(query or f"Three days in {name}, please plan them."),),
        golds=(gold or Gold("call", f"Plan three days in {name}.", (called,)),),
        kind="call",
        template="plain.en",
        tool_format="react",
        reply_format="hermes",
    )


CITIES = ("Oslo", "Rome", "Lima", "Bonn", "Kyiv", "Riga", "Bern", "Cork", "Nice", "Pisa", "Graz")


def suite(tasks: Sequence[Task] = ()) -> Suite:
    return Suite(
        "candidates", {tool.name: tool for tool in TOOLS}, tuple(tasks) or tuple(map(task, CITIES))
    )


def write_suite(folder: Path, tasks: Sequence[Task] = ()) -> Suite:
    made = suite(tasks)
    entries = (ToolEntry(tool.name, tool.description, tool.parameters) for tool in TOOLS)
    jsonl.write(folder / "tools.jsonl", entries)
    jsonl.write(folder / "tasks.jsonl", made.tasks)
    return suites.read(folder)


def review_event(of: Suite, one: Task, who: str, opinion: Opinion, number: int = 1) -> Event:
    return Event(one.id, who, number, "2026-01-01", after=opinion, shown=hash_task(of, one))


def correction(one: Task, **arguments: tuple[object, ...]) -> Verdict:
    call = one.golds[0].calls[0]
    call = msgspec.structs.replace(call, arguments={**call.arguments, **arguments})
    return Verdict("correct", (msgspec.structs.replace(one.golds[0], calls=(call,)),))


def open_review(folder: Path, of: Suite, p: queue.ReviewConfig = REVIEW_CONFIG, **judged: int):
    """The desk over `of`, and its journal in `folder`."""
    journal = Journal(folder / "review.db", folder / "reviews.jsonl")
    opinions = {
        f"house/{name}": Judgement(f"house/{name}", score) for name, score in judged.items()
    }
    found = queue.ReviewQueue(
        of,
        opinions,
        journal,
        p,
        TrajectoryValidator(CATALOGUE, ContaminationFilter((), 1.0)).is_grounded,
    )
    return review_pages.build_pages(found), found


def open_rating(folder: Path, of: Suite, texts: dict[str, str]):
    """A sheet of versions that say their text to every task, and its journal in `folder`."""
    answers = {
        version: {task.id: Answer(task.id, text.format(task.id)) for task in of.tasks}
        for version, text in texts.items()
    }
    journal = Journal(folder / "rate.db", folder / "ratings.jsonl")
    listed = rated_answers.draw_sheet(of.tasks, answers, RATING_CONFIG.tasks, RATING_CONFIG.seed)
    sheet = rate_pages.RatingSheet(of, listed, {}, journal, RATING_CONFIG)
    return rate_pages.build_pages(sheet), sheet
