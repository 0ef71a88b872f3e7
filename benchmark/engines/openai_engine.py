"""A model behind any OpenAI-compatible server; the key is $OPENAI_API_KEY.

A request that fails after all retries gives an answer with an error. It is counted apart, and the
next run sends it again.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, cast

from agent_tuning.chat_model.client import Client, RetriesExhausted
from agent_tuning.chat_model.messages import Ask, ChatModel, Message
from agent_tuning.inference.requests import QuestionGroup, unanswered
from agent_tuning.records import BadInput
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig

REQUESTS_PER_SLOT = 4  # in a batch: more of them leave fewer slots idle at its end


class OpenAIEngine:
    def __init__(self, folder: Path, row: str, settings: PredictConfig) -> None:
        server = settings.server
        name = server.names.get(row)
        if not name:
            known = ", ".join(server.names) or "none"
            raise BadInput(
                f"params.yaml: predict.server.names: no entry for {row}; "
                f"add the server's name of this model (entries: {known})"
            )
        sampling = {**server.sampling, server.limit: settings.max_new_tokens}
        self.model = ChatModel(name, structured=False, sampling=sampling)
        self.service = settings.service
        self.chat = ChatTokenizer(folder / "tokenizer.json")

    def answers(
        self, groups: Sequence[QuestionGroup], done: Collection[str]
    ) -> Iterator[list[Answer]]:
        left = list(unanswered(groups, done))
        size = REQUESTS_PER_SLOT * self.service.concurrency
        with asyncio.Runner() as runner:  # one loop: the client's connections belong to it
            client = Client(self.service)
            for start in range(0, len(left), size):
                yield runner.run(self._ask_all(client, left[start : start + size]))
            runner.run(client.api.close())

    async def _ask_all(
        self, client: Client, questions: Iterable[tuple[str, list[int]]]
    ) -> list[Answer]:
        return await asyncio.gather(*(self._ask(client, task, ids) for task, ids in questions))

    async def _ask(self, client: Client, task: str, ids: list[int]) -> Answer:
        request = self.model.build_request(Ask(task, decode_messages(ids, self.chat), {}))
        try:
            reply = await client.ask(request)
        except RetriesExhausted as error:
            return Answer(task, "", error=str(error))
        return Answer(task, reply.content, cut=reply.finish == "length")


def decode_messages(ids: Sequence[int], chat: ChatTokenizer) -> tuple[Message, ...]:
    """The messages of a ChatML prompt, without the opening of the reply.

    Boundaries are special tokens. The text of a message never contains one, since `chat` encodes
    "<|im_end|>" in a text as plain text.
    """
    decoded = []
    for start in (index for index, token in enumerate(ids) if token == chat.start):
        if chat.end not in ids[start:]:
            break  # the reply that the model is to write
        text = chat.text(ids[start + 1 : ids.index(chat.end, start)])
        role, _, content = text.partition("\n")
        decoded.append(Message(cast(Literal["system", "user", "assistant"], role), content))
    return tuple(decoded)
