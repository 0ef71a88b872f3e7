"""Whether a text can be an agent template: for our own in tests, and in the template search."""

import re
from collections import Counter

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent_tuning.records import Language

SLOTS = ("tools", "format")
CHINESE = re.compile("[\u4e00-\u9fff]")
# The slots decide how to write a reply, which tools there are, and how many.
CONTRADICTIONS = re.compile(
    r"JSON|XML|YAML|Python|Markdown|Thought:|Action:|Observation|Answer:|</?\w*call|```"
    r"|\w+\(|\b[a-z]+[A-Z]\w*"
    r"|\b(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten) (?:\w+ )?(?:tools|functions)\b"
    r"|[\d一二两三四五六七八九十]+ ?[个种](?:工具|函数)"
)


def find_problem(text: str, language: Language) -> str | None:
    """Why the text cannot be an agent template of this language; None if it can."""
    try:
        body = ImmutableSandboxedEnvironment().parse(text).body
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    # Only text and names: a filter, an attribute or a statement could do anything.
    parts = [part for out in body for part in getattr(out, "nodes", [out])]
    for part in parts:
        if not isinstance(part, nodes.TemplateData | nodes.Name):
            return (
                f"line {part.lineno}: expected only {{{{ tools }}}} and {{{{ format }}}} in braces"
            )
    slots = Counter(part.name for part in parts if isinstance(part, nodes.Name))
    if slots != Counter(SLOTS):
        return f"expected each of the slots `tools` and `format` once, found {dict(slots)}"
    wording = "\n".join(part.data for part in parts if isinstance(part, nodes.TemplateData))
    if bool(CHINESE.search(wording)) != (language == "zh"):
        return f"is not in the language {language}"
    if contradiction := CONTRADICTIONS.search(wording):
        return f"{contradiction[0]!r} may contradict the tool list or the reply format"
    return None
