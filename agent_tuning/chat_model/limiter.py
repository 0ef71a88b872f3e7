"""How many requests run at once: half after a 429, one more after each round of answers."""

import asyncio
import time


class Limiter:
    """`async with limiter as burst:` around one request; `burst` tells which halving it knew."""

    def __init__(self, most: int) -> None:
        self.most = self.limit = most
        self.running = 0
        self._burst = 0
        self._calm = 0  # answers since the limit last changed
        self._not_before = 0.0
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> int:
        async with self._changed:
            await self._changed.wait_for(lambda: self.running < self.limit)
            self.running += 1
        while (wait := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        return self._burst

    async def __aexit__(self, *_: object) -> None:
        self.running -= 1
        async with self._changed:
            self._changed.notify(2)  # the slot, and the one that `calm` may have added

    def record_success(self) -> None:
        """An answer came: after as many as the limit, one more may run."""
        self._calm += 1
        if self._calm >= self.limit and self.limit < self.most:
            self.limit += 1
            self._calm = 0

    def halve(self, burst: int) -> None:
        """Once for a burst: the others that were under way have met the same wall."""
        if burst == self._burst:
            self._burst += 1
            self._calm = 0
            self.limit = max(1, self.limit // 2)

    def pause(self, seconds: float) -> None:
        """Nothing starts before then: the server asked for it."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)
