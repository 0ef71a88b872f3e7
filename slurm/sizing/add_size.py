"""Add a size to `sizes` of params.yaml, for which slurm/dvc.yaml has stages: argument SIZE."""

import re
from pathlib import Path

from agent_tuning.files import atomic_write, yaml_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from slurm.sizing import sizes


def main(name: Path) -> None:
    sizes.load(str(name))
    known = yaml_records.read(sizes.PARAMS, list[str], "sizes")
    if str(name) in known:
        return
    text = sizes.PARAMS.read_text(encoding="utf-8")
    line = f"sizes: [{', '.join([*known, str(name)])}]"
    changed, count = re.subn(r"^sizes: \[[^\]\n]*\]", line, text, flags=re.MULTILINE)
    if count != 1:
        raise BadInput(f"{sizes.PARAMS}: expected one line `sizes: [...]`; add {name} to it")
    atomic_write.write_text(sizes.PARAMS, changed)
    print(f"{sizes.PARAMS}: {line}")


if __name__ == "__main__":
    cli.run(main)
