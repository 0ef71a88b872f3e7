"""Give every group a template, formats and names, so that the model learns to read its prompt.

reads   data/with_negatives.jsonl   Group
        data/written_groups.jsonl   Group of written examples
        data/validation_groups.jsonl  the same, for validation
writes  data/diverse.jsonl     Group, with template, tool format, reply format, names and values
        data/validation.jsonl  the same, of the groups for validation
"""

from itertools import chain
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.diversify import DiversifyConfig, diversify, diversify_written
from agent_tuning.synthesis.held_out import HeldOut


def main(
    with_negatives: Path, written: Path, held_back: Path, diverse: Path, validation: Path
) -> None:
    p = config.load("diversify", DiversifyConfig)
    held_out = config.load("held_out", HeldOut)
    groups = diversify(jsonl.read(with_negatives, Group), p, held_out)
    by_hand = diversify_written(jsonl.read(written, Group), p, held_out)
    count = jsonl.write(diverse, chain(groups, by_hand))
    jsonl.write(validation, diversify_written(jsonl.read(held_back, Group), p, held_out))
    print(f"{diverse}: {count} groups")


if __name__ == "__main__":
    cli.run(main)
