"""A web browser on the pages of the town: every page has the same links and the same form.

It opens with the user's earlier pages behind it, so that there is something to go back to.
"""

from typing import ClassVar

from agent_tuning.catalogue.simulators.town import (
    BY_ADDRESS,
    BY_LABEL,
    BY_PATH,
    PAGES,
    page_address,
)
from agent_tuning.catalogue.simulators.world import Refused, draw
from agent_tuning.records import Json

# The one button of the form has every name that people may give it.
BUTTONS = ("Send", "Apply", "Confirm", "Submit", "发送", "申请", "确认", "提交")


class Browser:
    """The seed says in which order the user has been to the pages."""

    TOOLS: ClassVar[tuple[str, ...]] = ("open_page", "click_element", "fill_field", "go_back")

    def __init__(self, seed: str) -> None:
        visited = sorted(PAGES, key=lambda page: draw(seed, "visited", page.path, below=1 << 32))
        self.history = [page_address(page, 0) for page in visited]
        self.form: dict[str, Json] = {}
        self.sent: list[Json] = []

    def state(self) -> dict[str, Json]:
        return {"url": self.history[-1], "form": dict(self.form), "sent": list(self.sent)}

    def open_page(self, url: str) -> dict[str, Json]:
        if url not in BY_ADDRESS:
            raise Refused(f"no page {url}")
        self.history.append(url)
        return self._shown()

    def click_element(self, label: str) -> dict[str, Json]:
        """A link, or the button that sends the form."""
        if label in BUTTONS:
            return self._send()
        if label not in BY_LABEL:
            raise Refused(f"nothing here is called {label}")
        return self.open_page(page_address(*BY_LABEL[label]))

    def fill_field(self, field: str, text: str) -> dict[str, Json]:
        self.form[field] = text
        return {"field": field, "text": text, "filled": len(self.form)}

    def go_back(self, steps: int) -> dict[str, Json]:
        if steps >= len(self.history):
            raise Refused(f"cannot go back {steps} pages")
        del self.history[-steps:]
        return self._shown()

    def _shown(self) -> dict[str, Json]:
        """The page now in view, its form empty."""
        self.form = {}
        page, language = BY_ADDRESS[self.history[-1]]
        hint = BY_PATH[page.hint].title[language]
        shown = {"title": page.title[language], "text": page.text[language], "see_also": hint}
        return {"url": self.history[-1], **shown}

    def _send(self) -> dict[str, Json]:
        if not self.form:
            raise Refused("the form is empty")
        url, filled = self.history[-1], len(self.form)
        self.sent.append({"url": url, **self.form})
        self.form = {}
        return {"sent": filled, "url": url}
