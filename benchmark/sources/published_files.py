"""Which files of BFCL's and NESTFUL's wheels the suites are built from."""

from pathlib import Path

BFCL_CALLS = (
    *("simple_python", "multiple", "parallel", "parallel_multiple"),
    *("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple"),
)
BFCL_NO_CALLS = ("irrelevance", "live_irrelevance")
NESTFUL_FILES = (
    *("executable/executable", "non-executable/non-executable-glaive"),
    "non-executable/non-executable-sgd",
)


def list_bfcl_members(folder: Path, metadata: str) -> dict[str, Path]:
    """Path in the wheel -> file: questions, answers, and METADATA, which states the licence."""
    names = [f"BFCL_v4_{name}.json" for name in (*BFCL_CALLS, *BFCL_NO_CALLS)]
    names += [f"possible_answer/BFCL_v4_{name}.json" for name in BFCL_CALLS]
    members = {f"bfcl_eval/data/{name}": folder / name for name in names}
    return {**members, metadata: folder / "METADATA"}


def list_nestful_members(folder: Path, version: str) -> dict[str, Path]:
    """Path in the wheel -> file: data, specifications of the tools, and the licence."""
    names = [f"{name}-{part}.json" for name in NESTFUL_FILES for part in ("data", "spec")]
    members = {f"data_v1/{name}": folder / Path(name).name for name in names}
    licence = f"nestful_wrapper-{version}.dist-info/licenses/LICENSE"
    return {**members, licence: folder / "LICENSE"}
