"""Give every group a wording and a format, so that the model learns to read its prompt.

reads   data/negatives.jsonl   Group
writes  data/diverse.jsonl     Group, with template, tool format, reply format, names and values
"""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import BadInput, Group, Language, Record, Tool, Trajectory
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import renaming
from agent_tuning.synthesis.value_randomization import randomize_values


class HeldOut(Record, frozen=True):
    templates: tuple[str, ...]
    tool_formats: tuple[str, ...]


class DiversifyConfig(Record, frozen=True):
    seed: int
    tool_formats: dict[str, float]
    reply_formats: dict[str, float]
    names: dict[str, float]
    coined: float
    held_out: HeldOut


def check_config(p: DiversifyConfig) -> None:
    """Raises BadInput for a name that nothing has, or that is held out."""
    known = {
        "tool_formats": TOOL_FORMATS.keys() - set(p.held_out.tool_formats),
        "reply_formats": REPLY_FORMATS.keys(),
        "names": renaming.NAMING_STYLES.keys(),
    }
    for field, names in known.items():
        if wrong := getattr(p, field).keys() - names:
            raise BadInput(
                f"params.yaml: diversify.{field}: {sorted(wrong)} is unknown or held out; "
                f"there are {sorted(names)}"
            )
        if min(getattr(p, field).values(), default=0) < 0 or not any(getattr(p, field).values()):
            raise BadInput(
                f"params.yaml: diversify.{field}: weights of at least 0, not all of them 0"
            )
    if not 0 <= p.coined <= 1:
        raise BadInput(f"params.yaml: diversify.coined: expected a share of 0-1, got {p.coined}")
    every = {
        name for language in get_args(Language) for name in system_prompt.template_names(language)
    }
    if wrong := set(p.held_out.templates) - every:
        raise BadInput(
            f"params.yaml: diversify.held_out.templates: no {sorted(wrong)}; "
            f"there are {sorted(every)}"
        )


def diversify(groups: Iterable[Group], p: DiversifyConfig) -> Iterator[Group]:
    check_config(p)
    for group in groups:
        rng = random.Random(f"{p.seed}:{group.prompt.id}")
        templates = set(system_prompt.template_names(group.language)) - set(p.held_out.templates)
        prompt = msgspec.structs.replace(
            group.prompt,
            template=rng.choice(sorted(templates)),
            tool_format=_weighted(p.tool_formats, rng),
            reply_format=_weighted(p.reply_formats, rng),
        )
        trajectories = tuple(_coined(one, group.tools, p) for one in group.trajectories)
        dressed = Group(group.id, prompt, trajectories)
        yield renaming.rename_tools(dressed, _weighted(p.names, rng), rng)


def _coined(one: Trajectory, tools: tuple[Tool, ...], p: DiversifyConfig) -> Trajectory:
    rng = random.Random(f"{p.seed}:{one.id}")
    return randomize_values(one, tools, rng) if rng.random() < p.coined else one


def _weighted(weights: dict[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def main(source: Path, target: Path) -> None:
    p = config.load("diversify", DiversifyConfig)
    count = jsonl.write(target, diversify(jsonl.read(source, Group), p))
    print(f"{target}: {count} groups")


if __name__ == "__main__":
    cli.run(main)
