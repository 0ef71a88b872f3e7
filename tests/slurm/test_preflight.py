"""A step of a size on this machine, with a line of shell in place of the training."""

import sys

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.support.checkout import Checkout
from tests.support.slurm_cluster import wait_for

TINY, SMALL = "tiny", "350m"
# The outputs are the last three words: the model's folder, the log and the metrics.
WRITE_OUTPUTS = 'for path in "${@: -3}"; do mkdir -p "${path%/*}"; touch "$path"; done'
WAIT_IF_TINY = "touch up; until [ -e go ] || [[ $* != *tiny* ]]; do sleep 0.1; done"


def prepare(checkout: Checkout) -> None:
    """What `make preflight` finds made: data of both sizes, for `fewest_steps` of the small one."""
    checkout.set_rank_script(f"{WAIT_IF_TINY}; {WRITE_OUTPUTS}")
    for size in (TINY, SMALL):
        for folder in (f"data/{size}", f"models/{size}/base", f"metrics/{size}"):
            (checkout.folder / folder).mkdir(parents=True)
        packs = pa.table({"ids": [[1, 2], [1, 2, 3]]})
        pq.write_table(packs, checkout.folder / f"data/{size}/packs.parquet")
        (checkout.folder / f"models/{size}/base/weights").write_text(size)
    (checkout.folder / "data/code_hashes").mkdir()
    (checkout.folder / "data/code_hashes/train.json").write_text("{}")
    params = yaml.safe_load((checkout.folder / "params.yaml").read_text())
    fewest, train = (
        params["estimate"]["fewest_steps"],
        params["models"][SMALL]["overrides"]["train"],
    )
    packs = fewest["general"] * train["packs_per_step"] // train["epochs"] + 1
    rendered = {"packs": packs, "tokens": 1, "tokens_without_sharing": 1}
    (checkout.folder / f"metrics/{SMALL}/render.json").write_bytes(msgspec.json.encode(rendered))


def test_two_sizes_are_checked_at_once_and_neither_takes_the_data_of_the_other(checkout):
    """One epoch of the small one is fewer steps than a training of it must have."""
    prepare(checkout)
    settings = {"CLUSTER": "local", "MIN_FREE_GB": "1"}
    module = ("-m", "slurm.launch.preflight")
    tiny = checkout.start(sys.executable, *module, TINY, **settings)
    wait_for("a rank", lambda: bool(list(checkout.folder.glob("tiny-train-*/up"))), 120)
    small = checkout.start(sys.executable, *module, SMALL, **settings)
    status, output = checkout.end(small)
    assert status == 0, output
    assert "one step of packs of 3 tokens on 1 x 1 GPUs" in output
    (checkout.run / "go").touch()
    status, output = checkout.end(tiny)
    assert status == 0, output
    assert "preflight of tiny: passed" in output
    assert not list(checkout.folder.glob("*-train-*"))
    assert not list((checkout.folder / "scratch/preflight").iterdir())
