"""Progress as plain lines with the time left, on a terminal as in a log."""

import time


class Progress:
    """Prints `train 12/150 8% 3:10 left: loss 1.2`, at most every `seconds` and at the end.

    `done`: what an earlier run did; it does not count for the speed of this one.
    """

    def __init__(self, name: str, total: int, done: int = 0, seconds: float = 5.0) -> None:
        self.name = name
        self.total = total
        self.first = done
        self.seconds = seconds
        self.started = self.printed = time.monotonic()

    def show(self, done: int, note: str = "") -> None:
        """Print a line if one is due. `done` counts from the start of the whole task."""
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
