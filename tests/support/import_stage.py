"""The stage import_data on a small folder that is laid out like a set of the hub."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import yaml

from agent_tuning.converters import READERS, row_fields
from agent_tuning.converters.imported_data import ImportReject
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.records import Group
from stages import import_data
from tests.support import general_params

PROTECTED = ProtectedQuery("Which ferry leaves West quay after the concert tonight", "t/1")


class Imported(NamedTuple):
    metrics: dict[str, Any]
    groups: list[Group]
    general: list[Group]
    rejects: list[ImportReject]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reject.reason for reject in self.rejects)


def read(name: str, row: Mapping[str, Any]) -> Group:
    """The group of one row of a format."""
    return READERS[name].read(row_fields.convert(row, READERS[name].row))


def publish(
    folder: Path, rows: Sequence[Mapping[str, Any]], file: str, config: str = "default"
) -> Path:
    """A set with one configuration and one split, train, in a file below the folder."""
    path = folder / file
    path.parent.mkdir(parents=True)
    if path.suffix == ".parquet":
        datasets.Dataset.from_list([dict(row) for row in rows]).to_parquet(path)
    elif path.suffix == ".csv":
        datasets.Dataset.from_list([dict(row) for row in rows]).to_csv(path, index=False)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, ensure_ascii=False))
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    files = [{"split": "train", "path": file}]
    card = yaml.safe_dump({"configs": [{"config_name": config, "data_files": files}]})
    (folder / "README.md").write_text(f"---\n{card}---\n")
    return folder


def run(source: Path, name: str, **fields: Any) -> Imported:
    """The stage in the working folder, on one source of this format."""
    jsonl.write(Path("protected.jsonl"), [PROTECTED])
    listed = {"name": name, "format": name, "source": str(source), **fields}
    section = {"sources": [listed], "max_rejected": 1}
    params = general_params.read() | {"import_data": section}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    names = ("protected", "groups", "general", "rejects")
    import_data.main(*(Path(f"{name}.jsonl") for name in names), Path("import_data.json"))
    return Imported(
        json.loads(Path("import_data.json").read_text()),
        list(jsonl.read(Path("groups.jsonl"), Group)),
        list(jsonl.read(Path("general.jsonl"), Group)),
        list(jsonl.read(Path("rejects.jsonl"), ImportReject)),
    )
