"""Let the teacher write the positives of every planned group.

reads   data/plan.jsonl        Request
        data/catalogue/        what the scripted teacher says and computes
        data/phrasing.yaml     its wording outside the catalogue
writes  data/raw.jsonl         Group
"""

from pathlib import Path
from typing import Literal

from trajectory import command, jsonl, params, yamlfile
from trajectory.catalogue import Catalogue
from trajectory.phrasing import Phrasing
from trajectory.records import Record
from trajectory.teachers import Request
from trajectory.teachers.scripted import Scripted, Style


class Params(Record, frozen=True):
    teacher: Literal["scripted"]
    style: Style


def main(plan: Path, catalogue: Path, phrasing: Path, raw: Path) -> None:
    p = params.load("synthesize", Params)
    teacher = Scripted(Catalogue(catalogue), yamlfile.read(phrasing, Phrasing), p.style)
    count = jsonl.write(raw, map(teacher.group, jsonl.read(plan, Request)))
    print(f"{raw}: {count} groups")


if __name__ == "__main__":
    command.run(main)
