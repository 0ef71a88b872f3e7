"""Which teacher writes: the scripted one, a chat model, or a chat model's stored answers."""

from pathlib import Path
from typing import Literal

from agent_tuning.chat_model.answer_store import Store
from agent_tuning.chat_model.budget import Price, price_of
from agent_tuning.chat_model.messages import Model, Service
from agent_tuning.records import Record
from agent_tuning.synthesis.teachers import Teacher
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.replay import Replay
from agent_tuning.synthesis.teachers.scripted import Scripted, Style

Name = Literal["scripted", "openai", "replay"]


class Params(Record, frozen=True):
    teacher: Name
    style: Style
    model: Model
    service: Service
    batch: bool
    budget: float | None
    prices: dict[str, Price]
    max_failed: float


def chosen(p: Params, scripted: Scripted, store: Path) -> Teacher:
    if p.teacher == "scripted":
        return scripted
    price = price_of(p.model.name, p.prices, p.budget)
    replay = Replay(Author(scripted), p.model, Store(store), price)
    if p.teacher == "replay":
        return replay
    from agent_tuning.synthesis.teachers.openai import OpenAI  # its client takes a second to import

    return OpenAI(replay, p.service, p.budget, p.batch, p.max_failed)
