"""The section `chat_model`: which model is asked, over which server, at what cost."""

from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.messages import ChatModel, Service
from agent_tuning.records import Record
from agent_tuning.runtime.ranges import Dollars


class ChatModelConfig(Record, frozen=True):
    """`budget` in USD bounds all stored replies of `model` together; None is no limit."""

    model: ChatModel
    service: Service
    budget: Dollars | None
    prices: dict[str, Price]
