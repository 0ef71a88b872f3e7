"""A chat model writes what is assigned to it: request by request, each reply paid for once.

An assignment begins with one request. As long as examples are missing, the next one quotes what
was good and what was rejected. All follows from the stored replies: a killed run goes on where it
ended, and a finished one is read from the store again, without a key.
"""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Budget, find_price
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.chat_model.messages import TOKEN_LIMITS, ChatModel, ChatRequest
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import Tool, Unfinished
from agent_tuning.synthesis.wording_replies import Draft, check_drafts, read_drafts
from agent_tuning.synthesis.wording_requests import (
    MAX_QUOTED,
    Assignment,
    WordingsConfig,
    build_ask,
    count_requests,
)
from agent_tuning.synthesis.written_checks import ExampleChecks

if TYPE_CHECKING:
    from agent_tuning.chat_model.fill_store import StoreFiller


class Outcome(NamedTuple):
    """What an assignment has given so far. `request` is the next one; None if it needs no more."""

    sound: list[Draft]
    unfit: list[Draft]
    replies: int
    request: ChatRequest | None


class Estimate(NamedTuple):
    """What is still to be paid: if every reply is sound, and at most."""

    expected: Usage
    most: Usage


class WordingTeacher:
    """`tools` are all that the assistant has; `checks` are those of every written example."""

    def __init__(
        self,
        tools: Sequence[Tool],
        checks: ExampleChecks,
        near_duplicate: float,
        p: WordingsConfig,
        chat: ChatModelConfig,
        store: AnswerStore,
    ) -> None:
        self.tools = tools
        self.checks = checks
        self.near_duplicate = near_duplicate
        self.p = p
        self.chat = chat
        self.model = limit_tokens(chat.model, p.max_tokens)
        self.price = find_price(self.model.name, chat.prices, chat.budget)
        self.store = store

    def follow(self, assignment: Assignment) -> Outcome:
        """Read the stored replies to an assignment, up to the first that is missing."""
        sound: list[Draft] = []
        unfit: list[Draft] = []
        replies = 0
        while len(sound) < assignment.wanted and replies < self._count_most(assignment):
            count = min(self.p.examples_per_request, assignment.wanted - len(sound))
            written = [draft.examples[0].query for draft in sound]
            rejected = list(dict.fromkeys(draft.describe_problem() for draft in unfit))
            request = self._build_request(assignment, count, written, rejected)
            reply = self.store.get(request.key)
            if reply is None:
                return Outcome(sound, unfit, replies, request)
            replies += 1
            drafts = read_drafts(reply, assignment, count)
            if not drafts and assignment.kind == "chain":
                break  # the model may find that nothing sensible begins with this tool
            known = [example for draft in sound for example in draft.examples]
            for draft in check_drafts(drafts, known, self.checks, self.near_duplicate):
                (unfit if draft.problem else sound).append(draft)
        return Outcome(sound, unfit, replies, None)

    def ask(self, assignments: Sequence[Assignment]) -> None:
        """Fill the store with all replies. Raises Unfinished or BadInput; what is paid stays."""
        if all(self.follow(one).request is None for one in assignments):
            return  # no key is needed
        self.store.open()
        try:
            asyncio.run(self._fill_store(assignments))
        finally:
            self.store.close()

    def estimate(self, assignments: Sequence[Assignment]) -> Estimate:
        """The cost of what has no reply yet."""
        expected, most = Usage(), Usage()
        for assignment in assignments:
            outcome = self.follow(assignment)
            if outcome.request is None:
                continue
            left = self._count_most(assignment) - outcome.replies
            missing = assignment.wanted - len(outcome.sound)
            planned = min(left, count_requests(missing, self.p))
            first = self.price.max_usage(outcome.request)
            later = self.price.max_usage(self._build_longest_request(assignment))
            expected = sum([later] * (planned - 1), expected + first)
            most = sum([later] * (left - 1), most + first)
        return Estimate(expected, most)

    async def _fill_store(self, assignments: Sequence[Assignment]) -> None:
        # The client takes a second to import.
        from agent_tuning.chat_model.fill_store import StoreFiller

        budget = Budget(self.chat.budget, self.price.total_usage(self.model.name, self.store))
        # A file is written only when every request has its reply, so that it is the same file
        # however often the run was stopped.
        filler = StoreFiller(self.store, self.chat.service, self.price, budget, {}, 0)
        async with filler.client.api:
            with finish_at_interrupt(filler):
                await filler.ask_live(assignments, lambda one: self.follow(one).request)

    def _count_most(self, assignment: Assignment) -> int:
        """The most requests of an assignment."""
        return count_requests(assignment.wanted, self.p) + self.p.attempts - 1

    def _build_request(
        self,
        assignment: Assignment,
        count: int,
        written: Sequence[str] = (),
        rejected: Sequence[str] = (),
    ) -> ChatRequest:
        ask = build_ask(assignment, self.tools, self.p, count, written, rejected)
        return self.model.build_request(ask)

    def _build_longest_request(self, assignment: Assignment) -> ChatRequest:
        """A stand-in as long as any request of an assignment, to know what the last may cost."""
        most = self._count_most(assignment) * self.p.examples_per_request
        line = "x" * MAX_QUOTED
        written, rejected = [line] * assignment.wanted, [line] * (most - assignment.wanted)
        return self._build_request(assignment, self.p.examples_per_request, written, rejected)


def limit_tokens(model: ChatModel, max_tokens: int) -> ChatModel:
    """The model with another limit of tokens: a list of examples is longer than one decision."""
    limits = dict.fromkeys((name for name in TOKEN_LIMITS if name in model.sampling), max_tokens)
    return msgspec.structs.replace(model, sampling=model.sampling | limits)


@contextmanager
def finish_at_interrupt(filler: "StoreFiller") -> Iterator[None]:
    """Let the requests under way finish at the first Ctrl-C: they are paid for."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)  # a second Ctrl-C ends the run at once
        filler.stop = filler.stop or Unfinished(
            "interrupted; all replies are kept: run the same command to resume"
        )

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
