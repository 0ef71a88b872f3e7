"""Our import of bfcl-eval's checker on given answers: `… bfcl_judge GIVEN FOLDER`, in its venv.

GIVEN is a JSON object of ids and results; FOLDER gets bfcl-eval's result and score files.
"""

import json
import sys
from pathlib import Path

from benchmark.official_bfcl import package


def main() -> None:
    given_file, folder = map(Path, sys.argv[1:])
    folder.mkdir()
    package.open_package(folder / "package")
    from benchmark.official_bfcl.answers import Answer
    from benchmark.official_bfcl.score import evaluate

    given = {id: Answer(id, result) for id, result in json.loads(given_file.read_text()).items()}
    chosen: dict[str, list[str]] = {}
    for id in given:
        chosen.setdefault(id.rpartition("_")[0], []).append(id)
    evaluate(chosen, given, folder)


if __name__ == "__main__":
    main()
