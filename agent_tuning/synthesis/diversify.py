"""Diversify prompts: every prompt gets a template and formats, its tools other names.

A model that sees many prompts learns to read them, and learns none by heart.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

import msgspec

from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.prompts.instructions import NO_TEXTS, Texts, draw_instructions
from agent_tuning.records import (
    NATIVE,
    BadInput,
    Group,
    Language,
    Record,
    Tool,
    Trajectory,
    find_trained,
)
from agent_tuning.runtime.ranges import Seed, Share, Weight
from agent_tuning.synthesis import renaming
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.history_thoughts import drop_thoughts, hide_earlier_thoughts
from agent_tuning.synthesis.value_randomization import randomize_values


class WrittenDiversity(Record, frozen=True):
    """What `diversify` does to groups of written examples in place of its own names and values."""

    names: dict[str, Weight]
    value_randomization: Share


class DiversifyConfig(Record, frozen=True):
    """The section `diversify` of params.yaml, where each key is explained.

    The weight of the reply format `native` is that of native prompts, and `instructions` is a share
    of these.
    """

    seed: Seed
    tool_formats: dict[str, Weight]
    reply_formats: dict[str, Weight]
    names: dict[str, Weight]
    value_randomization: Share
    dropped_thoughts: Share
    instructions: Share
    written: WrittenDiversity
    thoughts: bool = True


def check_config(config: DiversifyConfig, held_out: HeldOut) -> None:
    """Raises BadInput for a name that does not exist or is held out, and for a bad weight."""
    formats = TOOL_FORMATS.keys() - set(held_out.tool_formats)
    styles = renaming.NAMING_STYLES.keys()
    for field, weights, names in (
        ("tool_formats", config.tool_formats, formats),
        ("reply_formats", config.reply_formats, REPLY_FORMATS.keys()),
        ("names", config.names, styles),
        ("written.names", config.written.names, styles),
    ):
        if NATIVE in weights and NATIVE not in names:
            raise BadInput(
                f"params.yaml: diversify.{field}: {NATIVE} goes with itself alone; "
                f"give its weight in reply_formats"
            )
        if unknown := weights.keys() - names:
            raise BadInput(
                f"params.yaml: diversify.{field}: {sorted(unknown)} is unknown or held out; "
                f"available: {', '.join(sorted(names))}"
            )
        if min(weights.values(), default=0) < 0 or not any(weights.values()):
            raise BadInput(
                f"params.yaml: diversify.{field}: expected weights of at least 0, with one above 0"
            )
    for field, share in (
        ("value_randomization", config.value_randomization),
        ("dropped_thoughts", config.dropped_thoughts),
        ("instructions", config.instructions),
        ("written.value_randomization", config.written.value_randomization),
    ):
        if not 0 <= share <= 1:
            raise BadInput(f"params.yaml: diversify.{field}: expected a share of 0-1, got {share}")
    if config.instructions and not config.reply_formats.get(NATIVE):
        raise BadInput(
            "params.yaml: diversify.instructions: expected 0: only native prompts have them, and "
            f"reply_formats gives {NATIVE} no weight"
        )
    if not config.thoughts and any(
        weight for name, weight in config.reply_formats.items() if name != NATIVE
    ):
        raise BadInput(
            f"params.yaml: diversify.thoughts: expected true: only {NATIVE} prompts go without "
            "thoughts, and reply_formats gives others a weight"
        )
    templates = {
        name for language in get_args(Language) for name in system_prompt.template_names(language)
    }
    if unknown := set(held_out.templates) - templates:
        raise BadInput(
            f"params.yaml: held_out.templates: unknown: {sorted(unknown)}; "
            f"available: {', '.join(sorted(templates))}"
        )


def diversify(
    groups: Iterable[Group], config: DiversifyConfig, held_out: HeldOut, texts: Texts = NO_TEXTS
) -> Iterator[Group]:
    """Every group with a template, formats, other names of its tools, and random values.

    A share of the native prompts gets one of `texts` as instructions. Groups of one prompt keep one
    prompt, since its id alone seeds the draws. A trajectory that the reply format cannot say so
    that it is read back is left out, and counted on the screen.
    """
    check_config(config, held_out)
    left_out: Counter[str] = Counter()
    for group in groups:
        rng = random.Random(f"{config.seed}:{group.prompt.id}")
        templates = set(system_prompt.template_names(group.language)) - set(held_out.templates)
        template = rng.choice(sorted(templates))
        tool_format = _draw_weighted(config.tool_formats, rng)
        reply_format = _draw_weighted(config.reply_formats, rng)
        if reply_format == NATIVE:  # the chat template writes the rest of the prompt too
            template = tool_format = NATIVE
        prompt = msgspec.structs.replace(
            group.prompt, template=template, tool_format=tool_format, reply_format=reply_format
        )
        instructions = draw_instructions(prompt, texts, config.instructions, config.seed)
        prompt = msgspec.structs.replace(prompt, instructions=instructions)
        trajectories = tuple(
            _randomize_some(trajectory, group.tools, config) for trajectory in group.trajectories
        )
        naming = _draw_weighted(config.names, rng)
        renamed = renaming.rename_tools(Group(group.id, prompt, trajectories), naming, rng)
        told = renamed if config.thoughts else drop_thoughts(renamed)
        sayable = _leave_out_unsayable(told, left_out)
        yield hide_earlier_thoughts(sayable, config.dropped_thoughts, config.seed)
    for problem, count in left_out.items():
        print(f"diversify: left out {count} trajectories: {problem}")


def diversify_written(
    groups: Iterable[Group], config: DiversifyConfig, held_out: HeldOut, texts: Texts = NO_TEXTS
) -> Iterator[Group]:
    """The same for groups of written examples, with the names and values of `config.written`."""
    own = config.written
    return diversify(
        groups,
        msgspec.structs.replace(
            config, names=own.names, value_randomization=own.value_randomization
        ),
        held_out,
        texts,
    )


def _leave_out_unsayable(group: Group, left_out: Counter[str]) -> Group:
    """The group without trajectories that have a problem, which `left_out` counts."""
    find_problem = REPLY_FORMATS[group.prompt.reply_format].find_problem
    kept = []
    for trajectory in group.trajectories:
        trained = (turn for _, turn in find_trained(trajectory.turns))
        if problem := next(filter(None, map(find_problem, trained)), None):
            left_out[f"{group.prompt.reply_format}: {problem}"] += 1
        else:
            kept.append(trajectory)
    return msgspec.structs.replace(group, trajectories=tuple(kept))


def _randomize_some(
    trajectory: Trajectory, tools: tuple[Tool, ...], config: DiversifyConfig
) -> Trajectory:
    """Randomize the values of the share `value_randomization` of all trajectories."""
    rng = random.Random(f"{config.seed}:{trajectory.id}")
    if rng.random() < config.value_randomization:
        return randomize_values(trajectory, tools, rng)
    return trajectory


def _draw_weighted(weights: dict[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
