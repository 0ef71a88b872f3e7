"""A model behind any OpenAI-compatible server; the key is $OPENAI_API_KEY.

Every answer is paid for, so each is handed over as soon as it is there. A request that fails after
all retries gives an answer with an error. It is counted apart, and the next run sends it again.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, cast

from agent_tuning.chat_model.client import Client, RetriesExhausted
from agent_tuning.chat_model.messages import Ask, ChatModel, Message
from agent_tuning.inference.requests import QuestionGroup, unanswered
from agent_tuning.records import BadInput
from agent_tuning.runtime.progress import ReportPart, ignore_part
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig


class OpenAIEngine:
    def __init__(
        self, folder: Path, row: str, settings: PredictConfig, _: Path | None = None
    ) -> None:
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
        self,
        groups: Sequence[QuestionGroup],
        done: Collection[str],
        report: ReportPart = ignore_part,  # noqa: ARG002 - it answers a batch at once
    ) -> Iterator[list[Answer]]:
        left = unanswered(groups, done)
        with asyncio.Runner() as runner:  # one loop: the client's connections belong to it
            client = Client(self.service)
            running: set[asyncio.Task[Answer]] = set()
            try:
                while running := runner.run(self._start(client, left, running)):
                    ended, running = runner.run(_wait_for_first(running))
                    if answers := [task.result() for task in ended if not task.exception()]:
                        yield answers
                    for task in ended:
                        task.result()  # raises what no retry can help
            finally:
                runner.run(client.api.close())

    async def _start(
        self,
        client: Client,
        questions: Iterator[tuple[str, list[int]]],
        running: set[asyncio.Task[Answer]],
    ) -> set[asyncio.Task[Answer]]:
        """The running requests, and as many new ones as are free slots."""
        free = self.service.concurrency - len(running)
        new = (self._ask(client, task, ids) for task, ids in islice(questions, free))
        return running | {asyncio.ensure_future(request) for request in new}

    async def _ask(self, client: Client, task: str, ids: list[int]) -> Answer:
        request = self.model.build_request(Ask(task, decode_messages(ids, self.chat), {}))
        try:
            reply = await client.ask(request)
        except RetriesExhausted as error:
            return Answer(task, "", error=str(error))
        return Answer(task, reply.content, cut=reply.finish == "length")


async def _wait_for_first(
    running: set[asyncio.Task[Answer]],
) -> tuple[set[asyncio.Task[Answer]], set[asyncio.Task[Answer]]]:
    """The requests that have ended, at least one, and the others."""
    return await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)


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
