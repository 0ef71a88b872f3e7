"""Which teacher writes: the scripted one, a chat model, or a chat model's stored answers."""

from pathlib import Path
from typing import Literal

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import find_price
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.records import Record
from agent_tuning.runtime.ranges import Share
from agent_tuning.synthesis.teachers import Teacher
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle

TeacherName = Literal["scripted", "openai", "replay"]


class SynthesizeConfig(Record, frozen=True):
    teacher: TeacherName
    style: WritingStyle
    batch: bool
    max_failed: Share


def choose_teacher(
    p: SynthesizeConfig, chat: ChatModelConfig, scripted: ScriptedTeacher, store: Path
) -> Teacher:
    """The teacher that `p` names. A chat model's paid answers are in `store`."""
    if p.teacher == "scripted":
        return scripted
    price = find_price(chat.model.name, chat.prices, chat.budget)
    replay = ReplayTeacher(Author(scripted), chat.model, AnswerStore(store), price)
    if p.teacher == "replay":
        return replay
    # Its client takes a second to import.
    from agent_tuning.synthesis.teachers.openai import OpenAITeacher

    return OpenAITeacher(replay, chat.service, chat.budget, p.batch, p.max_failed)
