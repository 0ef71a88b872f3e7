"""Keep the sound groups; reject the rest, each trajectory with its reason.

reads   data/raw.jsonl         Group
        data/catalogue/        simulators' tools and the words for their values
        data/protected.jsonl   queries of the benchmark suites
writes  data/sound.jsonl       Group
        data/rejects.jsonl     Reject
        metrics/verify.json    counts by reason
"""

from functools import partial
from itertools import chain
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import jsonl, metrics_file
from agent_tuning.quality import verify
from agent_tuning.quality.decontamination import DecontaminationConfig, ProtectedQuery
from agent_tuning.quality.validation import TrajectoryValidator
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli, config


def main(
    raw: Path, catalogue: Path, protected: Path, sound: Path, rejects: Path, metrics: Path
) -> None:
    p = config.load("verify", verify.VerifyConfig)
    decontamination = config.load("decontamination", DecontaminationConfig)
    contamination = decontamination.build_filter(jsonl.read(protected, ProtectedQuery))
    validator = TrajectoryValidator(Catalogue(catalogue), contamination)
    groups = jsonl.Lines(raw, Group)  # read again and again: a large plan does not fit into memory
    problems = verify.find_problems(groups, validator, p.near_duplicate)
    reject = partial(verify.reject_groups, groups, problems, p.positives)
    pairs = zip(groups, reject(), strict=True)
    jsonl.write(sound, (group for group, of_group in pairs if not of_group))
    jsonl.write(rejects, chain.from_iterable(reject()))
    counts = verify.summarize(reject(), p.positives)
    metrics_file.write(metrics, counts)
    rejected, total = counts["rejected"], counts["trajectories"]
    print(f"{sound}: {counts['groups']} groups; {rejected} of {total} trajectories rejected")
    if rejected > p.max_rejected * total:
        raise BadInput(
            f"{rejects}: {rejected} of {total} trajectories rejected, more than "
            f"verify.max_rejected = {p.max_rejected} allows; the file gives each reason"
        )


if __name__ == "__main__":
    cli.run(main)
