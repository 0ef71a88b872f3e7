"""Read trajectories of others, and check them as our own; with the default parameters none.

reads   the sources of import_data.sources of params.yaml
        data/protected.jsonl          queries of the benchmark suites
writes  data/imported_groups.jsonl    Group with tools, without template and formats
        data/imported_general.jsonl   Group without tools
        data/import_rejects.jsonl     ImportReject
        metrics/import_data.json      counts by reason and source
"""

from pathlib import Path

from agent_tuning.converters import imported_data
from agent_tuning.files import jsonl, metrics_file
from agent_tuning.quality.decontamination import DecontaminationConfig, ProtectedQuery
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config


def main(protected: Path, groups: Path, general: Path, rejects: Path, metrics: Path) -> None:
    p = config.load("import_data", imported_data.ImportConfig)
    decontamination = config.load("decontamination", DecontaminationConfig)
    contamination = decontamination.build_filter(jsonl.read(protected, ProtectedQuery))
    counts = imported_data.write_outcomes(p, contamination, groups, general, rejects)
    metrics_file.write(metrics, counts)
    rejected, kept = counts["rejected"], counts["agent"] + counts["general"]
    print(f"{groups}: {counts['agent']} trajectories with tools, {counts['general']} without; "
          f"{rejected} rejected")  # fmt: skip
    if rejected > p.max_rejected * (kept + rejected):
        raise BadInput(
            f"{rejects}: {rejected} of {kept + rejected} rows rejected, more than "
            f"import_data.max_rejected = {p.max_rejected} allows; the file gives each reason"
        )


if __name__ == "__main__":
    cli.run(main)
