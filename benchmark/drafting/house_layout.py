"""The layout of the house suite: each group's language, axes, formats and kinds of negatives.

All of it follows from the group's number, in cycles whose lengths differ, so that every value meets
every other.
"""

from collections.abc import Sequence
from typing import get_args

from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import NATIVE, BadInput, Language, Record
from agent_tuning.runtime.ranges import AtLeastOne, Count, NonEmpty, Seed
from agent_tuning.synthesis.hard_negatives import KINDS
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.teachers.scripted import WritingStyle


class HouseDraftConfig(Record, frozen=True):
    """`calls` and `negatives` are tasks per group; `first` is the number of the first group.

    Every `zh_every`th group is Chinese. `unseen_every` says for each axis that every nth group uses
    what training never sees.
    """

    version: AtLeastOne
    first: Count
    seed: Seed
    style: WritingStyle
    groups: AtLeastOne
    calls: AtLeastOne
    negatives: Count
    tools_per_prompt: AtLeastOne
    zh_every: AtLeastOne
    unseen_every: dict[str, AtLeastOne]
    tool_formats: NonEmpty[str]
    reply_formats: NonEmpty[str]


def choose_language(number: int, p: HouseDraftConfig) -> Language:
    return "zh" if number % p.zh_every == p.zh_every - 1 else "en"


def choose_axes(number: int, p: HouseDraftConfig) -> dict[str, str]:
    """`seen` or `unseen` for each axis. Axes are shifted, so that they differ in most groups."""
    return {
        axis: "unseen" if number % every == shift else "seen"
        for shift, (axis, every) in enumerate(p.unseen_every.items())
    }


def choose_reply_format(number: int, p: HouseDraftConfig) -> str:
    """In turn. Each group of unseen tools shifts the cycle, or one format would get all of them."""
    return p.reply_formats[(number + number // p.unseen_every["tool"]) % len(p.reply_formats)]


def order_kinds(number: int, index: int, p: HouseDraftConfig) -> list[str]:
    """The kinds of negatives to try for the negative `index` of a group, the first one first.

    The cycle is shifted, so that every kind meets every reply format, on seen and unseen tools.
    """
    kinds = list(KINDS)
    cycle = number + number // (p.unseen_every["tool"] * len(p.reply_formats))
    start = cycle * p.negatives + index
    return [kinds[(start + shift) % len(kinds)] for shift in range(len(kinds))]


def check_names(p: HouseDraftConfig, held_out: HeldOut) -> None:
    """Raise BadInput for a template or format that there is not."""
    templates = [
        name for language in get_args(Language) for name in system_prompt.template_names(language)
    ]
    for field, names, known in (
        ("draft.tool_formats", p.tool_formats, TOOL_FORMATS),
        ("draft.reply_formats", p.reply_formats, REPLY_FORMATS.keys() - {NATIVE}),
        ("held_out.tool_formats", held_out.tool_formats, TOOL_FORMATS),
        ("held_out.templates", held_out.templates, templates),
    ):
        if unknown := set(names) - set(known):
            available = ", ".join(sorted(known))
            raise BadInput(
                f"params.yaml: {field}: unknown: {sorted(unknown)}; available: {available}"
            )


def list_side(field: str, names: Sequence[str], held_out: HeldOut, axis: str) -> list[str]:
    """The seen or the unseen ones of `templates` or `tool_formats`, sorted; there is one at least.

    The held-out ones need not be among `names`. Templates end with a language, such as `.en`; the
    held-out ones of other languages are left out.
    """
    unseen: tuple[str, ...] = getattr(held_out, field)
    languages = {name.rsplit(".", 1)[-1] for name in names}
    side = {
        "seen": set(names) - set(unseen),
        "unseen": {n for n in unseen if "." not in n or n.rsplit(".", 1)[-1] in languages},
    }[axis]
    if not side:
        raise BadInput(f"params.yaml: held_out.{field}: leaves no {axis} one of those for a prompt")
    return sorted(side)
