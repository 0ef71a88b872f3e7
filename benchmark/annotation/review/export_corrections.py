"""Export corrected candidates as written examples, to train on: `make corrections`.

reads   SUITE/, CANDIDATES/ and their reviews;  data/catalogue
        params.yaml: review, decontamination, catalogue, written
writes  TO     WrittenExample, appended to the file, or to corrections.jsonl in the folder

A correction is for training or for the benchmark, never for both: one whose words are in the suite
is left out, and `make merge` leaves out those that are in data/written. Those left out are counted
by reason.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import DecontaminationConfig
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.wording_files import WordingFiles
from agent_tuning.synthesis.written_checks import ExampleChecks
from agent_tuning.synthesis.written_groups import WrittenConfig
from benchmark import missing_step
from benchmark.annotation.review import contamination
from benchmark.annotation.review.queue import ReviewConfig
from benchmark.annotation.review.reviewed_tasks import settle_reviews
from benchmark.annotation.review.written_corrections import ConvertedCorrection, convert_corrections
from benchmark.annotation.web.events import Event
from benchmark.tasks import suites

CATALOGUE = Path("data/catalogue")


def describe_reasons(converted: Iterable[ConvertedCorrection], suite: Path) -> list[str]:
    """A line for each reason why corrections were left out, with their number and one of them."""
    reasons = Counter[str]()
    first: dict[str, str] = {}
    for task, example, reason in converted:
        if example is None:
            name, _, detail = reason.partition(": ")
            reasons[name] += 1
            first.setdefault(name, f"{task}: {detail}")
    lines = [f"  {count} {name}, such as {first[name]}" for name, count in sorted(reasons.items())]
    if reasons["benchmark_overlap"]:
        lines.append(
            f"  what is in {suite} is never trained on: run `make corrections` before `make merge`"
        )
    return lines


def main(folder: Path, candidates_folder: Path, reviews: Path, to: Path) -> None:
    p = config.load("review", ReviewConfig)
    written = config.load("written", WrittenConfig)
    near = config.load("decontamination", DecontaminationConfig).near_benchmark
    missing_step.expect(candidates_folder / "tasks.jsonl", "candidates", "make draft")
    missing_step.expect(reviews, "reviews", "make review")
    entries = Catalogue(CATALOGUE, config.load("catalogue", CatalogueConfig).domains)
    tools = [entries.tool(name, written.language) for name in entries.entries]
    checks = ExampleChecks(tools, contamination.build_suite_filter(suites.read(folder), near))
    candidates, files = suites.read(candidates_folder), WordingFiles(to)
    reviewed = settle_reviews(candidates, jsonl.read(reviews, Event), p.double)
    converted = list(convert_corrections(candidates, reviewed, checks, written.language))
    sound = [example for _, example, _ in converted if example]
    new = [example for example in sound if example not in files.examples]
    path = files.find_path("corrections")
    files.append(path, new)
    print(f"{path}: {len(new)} new examples of {len(converted)} corrections")
    for line in describe_reasons(converted, folder):
        print(line)
    if sound:
        print(f"To train on them, set written.folder to {path.parent} and run `dvc repro`.")


if __name__ == "__main__":
    cli.run(main)
