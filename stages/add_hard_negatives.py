"""Add one hard negative to every group: a query that looks as if it needed a tool and needs none.

reads   data/sound.jsonl       Group of positives
        data/catalogue/        remarks, missing arguments, goals
        data/phrasing.yaml     how a negative is worded
        data/general.jsonl     Group of general conversations, and imported_general.jsonl
        data/protected.jsonl   queries of the benchmark suites
writes  data/with_negatives.jsonl   Group of positives and their hard negative
        metrics/add_hard_negatives.json counts by kind, and how hard they are
"""

from itertools import chain
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import jsonl, metrics_file, yaml_records
from agent_tuning.quality.decontamination import DecontaminationConfig, ProtectedQuery
from agent_tuning.quality.lexical_auc import compute_lexical_auc
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import negative_selection
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher


def main(
    sound: Path,
    catalogue: Path,
    phrasing: Path,
    general: Path,
    imported: Path,
    protected: Path,
    with_negatives: Path,
    metrics: Path,
) -> None:
    p = config.load("add_hard_negatives", negative_selection.NegativesConfig)
    negative_selection.check_config(p)
    tools = Catalogue(catalogue)
    outside = tools.list_tools(p.other_domains)
    teacher = ScriptedTeacher(tools, yaml_records.read(phrasing, Phrasing), p.style)
    own = jsonl.read(general, Group) if p.self_replies else ()
    general_groups = chain(own, jsonl.read(imported, Group))
    questions = [question for group in general_groups for question in group.trajectories]
    decontamination = config.load("decontamination", DecontaminationConfig)
    contamination = decontamination.build_filter(jsonl.read(protected, ProtectedQuery))
    groups = jsonl.Lines(sound, Group)
    added = negative_selection.add_negatives(groups, questions, teacher, contamination, p, outside)
    jsonl.write(with_negatives, added)
    written = jsonl.Lines(with_negatives, Group)
    kinds = negative_selection.count_kinds(written, p)
    auc = compute_lexical_auc(written)
    metrics_file.write(metrics, negative_selection.summarize(kinds, auc, p.public_auc))
    print(f"{with_negatives}: {kinds.total()} trajectories: {dict(kinds)}")
    print(f"{with_negatives}: AUC of word overlap {auc:.3f} (public data sets: {p.public_auc})")
    negative_selection.check_shares(kinds, p)
    negative_selection.check_auc(auc, p.max_auc, with_negatives)


if __name__ == "__main__":
    cli.run(main)
