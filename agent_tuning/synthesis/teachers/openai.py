"""The openai teacher: any OpenAI-compatible model writes, the simulators answer its calls.

First every question's answer gets into the store, in whatever order the answers come; then the
groups are written from the store in the order of their requests, as `replay` writes them.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from agent_tuning.chat_model.budget import Budget
from agent_tuning.chat_model.fill_store import StoreFiller
from agent_tuning.chat_model.messages import Ask, ChatRequest, Reply, Service, UnusableReply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest, WrittenGroup
from agent_tuning.synthesis.teachers.replay import MissingAnswer, ReplayTeacher


class OpenAITeacher:
    """`max_failed` is the share of trajectories that may stay unanswered before the run stops."""

    def __init__(
        self,
        replay: ReplayTeacher,
        service: Service,
        budget: float | None,
        batch: bool,
        max_failed: float,
    ) -> None:
        self.replay = replay
        self.service = service
        self.budget = budget
        self.batch = batch
        self.max_failed = max_failed
        self.unanswered: dict[str, str] = {}  # key to reason; not stored: the next run asks again

    @property
    def usage(self) -> Usage:
        return self.replay.usage

    def write(self, requests: Iterable[GroupRequest]) -> Iterator[WrittenGroup]:
        wanted = list(requests)
        self.replay.store.open()
        try:
            asyncio.run(self._fill(wanted))
        finally:
            self.replay.store.close()
        return (self.replay.author.group(request, self._final) for request in wanted)

    def estimate(self, requests: Iterable[GroupRequest]) -> Usage:
        jobs = ((request, item) for request in requests for item in request.items)
        return sum((self._left(*job) for job in jobs), Usage())

    async def _fill(self, requests: list[GroupRequest]) -> None:
        jobs = [(request, item) for request in requests for item in request.items]
        # The longest conversations first, or all would wait for some of them in the end.
        jobs.sort(key=lambda job: -self._steps(*job))
        most = self.max_failed * len(jobs)
        store, price = self.replay.store, self.replay.price
        budget = Budget(self.budget, price.spent(self.replay.model.name, store))
        filling = StoreFiller(store, self.service, price, budget, self.unanswered, most)
        async with filling.client.api:
            if self.batch:
                named = msgspec.json.encode((self.replay.model, requests))
                run = hashlib.blake2b(named, digest_size=16).hexdigest()
                await filling.ask_in_batches(jobs, self._wanting, run)
            else:
                await filling.live(jobs, self._wanting)

    def _steps(self, _: GroupRequest, item: TrajectoryRequest) -> int:
        return len(self.replay.author.catalogue.scenario(item.tool, item.scenario).turns(item.tool))

    def _wanting(self, job: tuple[GroupRequest, TrajectoryRequest]) -> ChatRequest | None:
        """The first question of a trajectory that has no answer; None if there is none."""
        request, item = job
        author = self.replay.author
        tools = author.scripted.prompt(request).tools
        try:
            author.write_positive(item, request.language, tools, self._known)
        except MissingAnswer as missing:
            return missing.sent
        except UnusableReply:  # counted when the groups are written
            pass
        return None

    def _known(self, ask: Ask) -> Reply:
        try:
            return self.replay.stored(ask)
        except MissingAnswer as missing:
            problem = self.unanswered.get(missing.sent.key)
            if problem is None:
                raise
            raise UnusableReply("unanswered", problem) from missing

    def _final(self, ask: Ask) -> Reply:
        return self.replay.count(self._known(ask))

    def _left(self, request: GroupRequest, item: TrajectoryRequest) -> Usage:
        """What a trajectory still costs at most if the model answers as the scripted teacher."""
        author, model = self.replay.author, self.replay.model
        rehearsed = author.scripted_answers(item, request.language)
        left: list[Usage] = []

        def answer(ask: Ask) -> Reply:
            text = next(rehearsed, "")
            with suppress(MissingAnswer):
                return self.replay.stored(ask)
            left.append(self.replay.price.bound(model.sent(ask), self.batch))
            return Reply("", ask.name, model.name, text, "stop", 0, 0)

        with suppress(UnusableReply):
            author.write_positive(
                item, request.language, author.scripted.prompt(request).tools, answer
            )
        return sum(left, Usage())
