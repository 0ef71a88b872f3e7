"""A judgement of every subject: from the store of paid answers, else from the chat model."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Budget, Price, price_of
from agent_tuning.chat_model.messages import Ask, ChatModel, ChatRequest, Service, UnusableReply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import config
from agent_tuning.synthesis.teachers import Failure
from benchmark.annotation.judge import prompt
from benchmark.annotation.rating.rubric import Judgement

SECTION = "judge"


class JudgeConfig(Record, frozen=True):
    model: ChatModel
    budget: float | None
    max_failed: float


class Endpoint(Record, frozen=True, forbid_unknown_fields=False):
    """What `synthesize` says about the service, whatever is asked of it."""

    service: Service
    prices: dict[str, Price]


class Judge:
    """`asks` maps a subject's id to its question; equal questions are paid for once."""

    def __init__(self, asks: Mapping[str, Ask], store: Path) -> None:
        self.p = config.load(SECTION, JudgeConfig)
        self.endpoint = config.load("synthesize", Endpoint)
        self.price = price_of(self.p.model.name, self.endpoint.prices, self.p.budget)
        self.store = AnswerStore(store)
        self.sent = {subject: self.p.model.sent(ask) for subject, ask in asks.items()}
        self.unanswered: dict[str, str] = {}

    @property
    def left(self) -> list[ChatRequest]:
        """The questions without an answer in the store."""
        found = {sent.key: sent for sent in self.sent.values() if sent.key not in self.store}
        return list(found.values())

    def estimate(self) -> str:
        left = sum(map(self.price.bound, self.left), Usage()).describe_estimate()
        return f"{SECTION}: {left} ({SECTION}.budget = {self.p.budget})"

    def ask(self) -> None:
        """Raises Unfinished or BadInput as the teacher does; what is paid stays in the store."""
        self.store.open()
        try:
            if left := self.left:
                asyncio.run(self._fill(left))
        finally:
            self.store.close()

    def require(self) -> None:
        """Everything is in the store, or the first question that is not is named."""
        for sent in self.left:
            raise BadInput(
                f"{self.store.path}: no answer to `{sent.name}` (key {sent.key}) and "
                f"{len(self.left) - 1} more; without --replay the judge is asked"
            )

    def judgements(self) -> "Judgements":
        found: list[Judgement] = []
        failures: list[Failure] = []
        for subject, sent in self.sent.items():
            try:
                found.append(self._judged(subject, sent))
            except UnusableReply as error:
                failures.append(Failure(subject, sent.name, error.reason, error.detail))
        return Judgements(found, failures)

    async def _fill(self, left: list[ChatRequest]) -> None:
        # The client takes a second to import.
        from agent_tuning.chat_model.fill_store import StoreFiller

        budget = Budget(self.p.budget, self.price.spent(self.p.model.name, self.store), SECTION)
        most = self.p.max_failed * len(self.sent)
        service = self.endpoint.service
        filler = StoreFiller(self.store, service, self.price, budget, self.unanswered, most)
        async with filler.client.api:
            await filler.live(left, self._wanting)

    def _wanting(self, sent: ChatRequest) -> ChatRequest | None:
        return None if sent.key in self.store or sent.key in self.unanswered else sent

    def _judged(self, subject: str, sent: ChatRequest) -> Judgement:
        reply = self.store.get(sent.key)
        if reply is None:
            raise UnusableReply("unanswered", self.unanswered.get(sent.key, ""))
        return prompt.parse_reply(subject, reply)


class Judgements(NamedTuple):
    judged: list[Judgement]
    failures: list[Failure]

    def write(self, folder: Path) -> None:
        jsonl.write(folder / "judge.jsonl", self.judged)
        jsonl.write(folder / "judge_failures.jsonl", self.failures)

    def __str__(self) -> str:
        reasons = Counter(failure.reason for failure in self.failures)
        failed = "".join(f", {count} {reason}" for reason, count in sorted(reasons.items()))
        return f"{len(self.judged)} judged{failed}"

    def check(self, folder: Path, most: float) -> None:
        """Raises BadInput if a larger share than `most` (0-1) has no mark."""
        total = len(self.judged) + len(self.failures)
        if len(self.failures) > most * total:
            raise BadInput(
                f"{folder / 'judge_failures.jsonl'}: {len(self.failures)} of {total} have no mark, "
                f"more than {SECTION}.max_failed = {most} allows; the file gives each reason"
            )


def run(judge: Judge, folder: Path, dry_run: bool, replay: bool) -> Judgements | None:
    """What both commands do: estimate, or ask, write and complain; None after an estimate."""
    if dry_run:
        print(judge.estimate())
        return None
    judge.require() if replay else judge.ask()
    found = judge.judgements()
    found.write(folder)
    print(f"{folder / 'judge.jsonl'}: {found}, by {judge.p.model.name}")
    found.check(folder, judge.p.max_failed)
    return found
