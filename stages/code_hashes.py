"""Hash the code that each expensive stage executes, without comments and docstrings.

reads   stages/, agent_tuning/, benchmark/, requirements.lock
writes  data/code_hashes/STAGE.json   CodeHash, a file for each stage named on the command line
"""

from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write
from agent_tuning.runtime import cli
from agent_tuning.runtime.code_hash import hash_code


def main(lock: Path, folder: Path, *stages: Path) -> None:
    for stage in stages:
        code = hash_code(Path("stages") / f"{stage}.py", lock)
        target = folder / f"{stage}.json"
        text = msgspec.json.format(msgspec.json.encode(code)) + b"\n"
        atomic_write.write_bytes(target, text)
        print(f"{target}: {len(code.files)} files, {len(code.packages)} packages")


if __name__ == "__main__":
    cli.run(main)
