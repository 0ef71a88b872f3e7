"""Progress as plain lines with the time left: the same on a terminal and in a log."""

import time


class Progress:
    """Prints `train 12/150 8% 3:10 left: loss 1.2` at most every `seconds`, and at the end."""

    def __init__(self, name: str, total: int, done: int = 0, seconds: float = 5.0) -> None:
        self.name = name
        self.total = total
        self.first = done  # what an earlier run did tells nothing about this one's speed
        self.seconds = seconds
        self.started = self.printed = time.monotonic()

    def show(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if done < self.total and now - self.printed < self.seconds:
            return
        self.printed = now
        left = (now - self.started) / max(done - self.first, 1) * (self.total - done)
        percent = 100 * done // max(self.total, 1)
        clock = f"{int(left) // 60}:{int(left) % 60:02} left" if done < self.total else "done"
        print(
            f"{self.name} {done}/{self.total} {percent}% {clock}" + f": {note}" * bool(note),
            flush=True,
        )
