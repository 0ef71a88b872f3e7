"""Give every group a template, formats and names, so that the model learns to read its prompt.

reads   data/with_negatives.jsonl   Group
        data/written_groups.jsonl   Group of written examples
        data/imported_groups.jsonl  Group of trajectories of others
        data/validation_groups.jsonl  Group of written examples, for validation
        data/instructions.yaml      what a client may say beside its tools
writes  data/diverse.jsonl     Group, with template, tool format, reply format, names and values
        data/validation.jsonl  the same, of the groups for validation that training does not
                               resemble, without instructions
"""

from itertools import chain
from pathlib import Path

from agent_tuning.files import jsonl, yaml_records
from agent_tuning.prompts.instructions import Instructions
from agent_tuning.quality.decontamination import DecontaminationConfig
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import unseen_validation
from agent_tuning.synthesis.diversify import DiversifyConfig, diversify, diversify_written
from agent_tuning.synthesis.held_out import HeldOut


def main(
    with_negatives: Path,
    written: Path,
    imported: Path,
    held_back: Path,
    instructions: Path,
    diverse: Path,
    validation: Path,
) -> None:
    p = config.load("diversify", DiversifyConfig)
    held_out = config.load("held_out", HeldOut)
    texts = yaml_records.read(instructions, Instructions).training
    made = chain(jsonl.read(with_negatives, Group), jsonl.read(imported, Group))
    groups = diversify(made, p, held_out, texts)
    by_hand = diversify_written(jsonl.read(written, Group), p, held_out, texts)
    count = jsonl.write(diverse, chain(groups, by_hand))
    files = (with_negatives, imported, written)
    seen = chain.from_iterable(jsonl.read(path, Group) for path in files)
    decontamination = config.load("decontamination", DecontaminationConfig)
    kept = unseen_validation.keep_unseen(jsonl.read(held_back, Group), seen, decontamination)
    jsonl.write(validation, diversify_written(kept, p, held_out))
    print(f"{diverse}: {count} groups")


if __name__ == "__main__":
    cli.run(main)
