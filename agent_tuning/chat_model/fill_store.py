"""Getting every answer into the store: workers that ask live, or batches wave by wave.

The first reason to stop (no money, a refusal, too many questions without an answer) starts
nothing new and lets what is under way come in: it is paid for.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.batch_api import Batches
from agent_tuning.chat_model.budget import Budget, Price
from agent_tuning.chat_model.client import Client, RetriesExhausted
from agent_tuning.chat_model.messages import ChatRequest, Reply, Service
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import BadInput, Unfinished
from agent_tuning.runtime.progress import Progress

Job = TypeVar("Job")
NextRequest = Callable[
    [Job], ChatRequest | None
]  # the next question of a job; None if it wants no more


class StoreFiller:
    """`unanswered` maps a question's key to its last failure; more than `most` stop the run."""

    def __init__(
        self,
        store: AnswerStore,
        service: Service,
        price: Price,
        budget: Budget,
        unanswered: dict[str, str],
        most: float,
    ) -> None:
        self.store = store
        self.service = service
        self.price = price
        self.budget = budget
        self.unanswered = unanswered
        self.most = most
        self.client = Client(service)
        self.stop: BadInput | Unfinished | None = None
        self._asked: dict[str, asyncio.Event] = {}

    async def live(self, jobs: Sequence[Job], wanting: NextRequest[Job]) -> None:
        progress = Progress(self.budget.section, len(jobs))
        waiting = iter(jobs)
        done = 0

        async def worker() -> None:
            nonlocal done
            for job in waiting:
                asked = await self._converse(job, wanting)
                if self.stop:
                    return
                done += 1
                progress.first += not asked  # what an earlier run did
                progress.show(done, str(self.budget))

        async with asyncio.TaskGroup() as workers:
            for _ in range(self.service.concurrency):
                workers.create_task(worker())
        if self.stop:
            raise self.stop

    async def ask_in_batches(
        self, jobs: Sequence[Job], wanting: NextRequest[Job], run: str
    ) -> None:
        try:
            await self._waves(jobs, wanting, Batches(self.client, self.store, run))
        except RetriesExhausted as error:
            raise Unfinished(f"{error}; the same command goes on") from error
        if self.stop:
            raise self.stop

    async def _waves(
        self, jobs: Sequence[Job], wanting: NextRequest[Job], batches: Batches
    ) -> None:
        """Each wave asks what all jobs want next, and again what the last one lost."""
        progress = Progress(self.budget.section, len(jobs))
        tries: Counter[str] = Counter()
        wanted = _all_wanted(jobs, wanting)
        if wanted:
            await batches.earlier(wanted)
            self._settle(wanted, reserved=False)
        while wanted := self._affordable(_all_wanted(jobs, wanting)):
            progress.show(len(jobs) - len(wanted), str(self.budget))
            problems = await batches.answer(wanted)
            self._settle(wanted, reserved=True)
            tries.update(problems.keys())
            for key, problem in problems.items():
                if tries[key] > self.service.retries:
                    self._give_up(wanted[key], problem)
        if not self.stop:
            progress.show(len(jobs), str(self.budget))

    async def _converse(self, job: Job, wanting: NextRequest[Job]) -> bool:
        """Ask until the job wants nothing more; False if it wanted nothing at all."""
        asked = False
        while not self.stop and (sent := wanting(job)):
            asked = True
            if under_way := self._asked.get(sent.key):  # the same words elsewhere: paid for once
                await under_way.wait()
                continue
            self._asked[sent.key] = asyncio.Event()
            try:
                await self._ask(sent)
            finally:
                self._asked.pop(sent.key).set()
        return asked

    async def _ask(self, sent: ChatRequest) -> None:
        bound = self.price.bound(sent).usd
        try:
            self.budget.reserve(bound)
        except Unfinished as error:
            self.stop = self.stop or error
            return
        paid = Usage()
        try:
            reply = await self.client.ask(sent)
            paid = self.price.paid(reply)
            await self.store.put(reply)
        except RetriesExhausted as error:
            self._give_up(sent, str(error))
        except (BadInput, Unfinished) as error:
            self.stop = self.stop or error
        finally:
            self.budget.settle(bound, paid)

    def _give_up(self, sent: ChatRequest, problem: str) -> None:
        self.unanswered[sent.key] = problem
        if len(self.unanswered) > self.most:
            self.stop = self.stop or Unfinished(
                f"{len(self.unanswered)} questions without an answer, the last `{sent.name}`: "
                f"{problem}; every answer is kept, and the same command goes on"
            )

    def _affordable(self, wanted: dict[str, ChatRequest]) -> dict[str, ChatRequest]:
        """Those that the budget reaches for, reserved."""
        chosen: dict[str, ChatRequest] = {}
        for key, sent in wanted.items():
            if self.stop:
                break
            try:
                self.budget.reserve(self.price.bound(sent, batch=True).usd)
            except Unfinished as error:
                self.stop = error
            else:
                chosen[key] = sent
        return chosen

    def _settle(self, wanted: dict[str, ChatRequest], reserved: bool) -> None:
        for key, sent in wanted.items():
            reply: Reply | None = self.store.get(key)
            bound = self.price.bound(sent, batch=True).usd if reserved else 0.0
            self.budget.settle(bound, self.price.paid(reply) if reply else Usage())


def _all_wanted(jobs: Sequence[Job], wanting: NextRequest[Job]) -> dict[str, ChatRequest]:
    found = (wanting(job) for job in jobs)
    return {sent.key: sent for sent in found if sent}
