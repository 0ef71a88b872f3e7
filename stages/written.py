"""Turn freely written examples into groups, for training and for validation.

reads   the folder written.folder of params.yaml   WrittenExample; empty: none
        data/catalogue/               the tools that every prompt lists
        data/protected.jsonl          queries of the benchmark suites
writes  data/written_groups.jsonl     Group, without template and formats
        data/validation_groups.jsonl  the same, never trained on
        data/written_rejects.jsonl    Reject
        metrics/written.json          counts by kind, decision, voice and reason
"""

from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.files import jsonl, metrics_file
from agent_tuning.quality.decontamination import DecontaminationConfig, ProtectedQuery
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import written_examples, written_groups


def main(
    catalogue: Path, protected: Path, groups: Path, validation: Path, rejects: Path, metrics: Path
) -> None:
    p = config.load("written", written_groups.WrittenConfig)
    decontamination = config.load("decontamination", DecontaminationConfig)
    examples = list(written_examples.read_folder(Path(p.folder))) if p.folder else []
    entries = Catalogue(catalogue, config.load("catalogue", CatalogueConfig).domains)
    tools = [entries.tool(name, p.language) for name in entries.entries]
    contamination = decontamination.build_filter(jsonl.read(protected, ProtectedQuery))
    written = written_groups.build_groups(examples, tools, contamination, p)
    jsonl.write(groups, written.training)
    jsonl.write(validation, written.validation)
    jsonl.write(rejects, written.rejects)
    metrics_file.write(metrics, written.metrics)
    rejected = len(written.rejects)
    trained = sum(len(group.trajectories) for group in written.training)
    held_back = sum(len(group.trajectories) for group in written.validation)
    print(f"{groups}: {trained} trajectories, {held_back} more for validation; "
          f"{rejected} of {len(examples)} examples rejected")  # fmt: skip
    if rejected > p.max_rejected * len(examples):
        raise BadInput(
            f"{rejects}: {rejected} of {len(examples)} examples rejected, more than "
            f"written.max_rejected = {p.max_rejected} allows; the file gives each reason"
        )


if __name__ == "__main__":
    cli.run(main)
