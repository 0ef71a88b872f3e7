"""A search engine over the pages of the town."""

from agent_tuning.catalogue.simulators.town import BY_ADDRESS
from agent_tuning.records import Json


def web_search(query: str) -> dict[str, Json]:
    """The pages that contain the query."""
    hits = [
        (url, page.title[language], page.text[language])
        for url, (page, language) in BY_ADDRESS.items()
        if query.casefold() in f"{page.title[language]} {page.text[language]}".casefold()
    ]
    url, title, text = hits[0] if hits else ("", "", "")
    return {"found": len(hits), "url": url, "title": title, "snippet": text}


TOOLS = (web_search,)
