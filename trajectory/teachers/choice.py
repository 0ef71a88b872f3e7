"""Which teacher writes: the scripted one, a chat model, or a chat model's stored answers."""

from pathlib import Path
from typing import Literal

from trajectory.records import Record
from trajectory.teachers import Teacher
from trajectory.teachers.asking import Model, Service
from trajectory.teachers.author import Author
from trajectory.teachers.budget import Price, price_of
from trajectory.teachers.replay import Replay
from trajectory.teachers.scripted import Scripted, Style
from trajectory.teachers.store import Store

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
    from trajectory.teachers.openai import OpenAI  # its client takes a second to import

    return OpenAI(replay, p.service, p.budget, p.batch, p.max_failed)
