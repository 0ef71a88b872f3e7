"""`make export` and `make serve ENGINE=llama.cpp`: the same decisions from llama.cpp's own server.

Runs where `make .venv-gguf/ready` made llama.cpp's environment, and `dvc repro fetch` the base
model, whose tokenizer llama.cpp knows.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent_tuning.runtime import config
from benchmark.engines.config import PredictConfig
from benchmark.serving import export_gguf, server_process
from benchmark.serving.ask_server import Server
from benchmark.serving.cases import choose_cases
from benchmark.serving.comparison import Comparison
from benchmark.serving.conformance import find_problems, find_version, summarize
from tests.benchmark.serving.test_conformance import SETTINGS, suite
from tests.support import overfitted_model

ROOT = Path(__file__).parents[3]
WORDS = ROOT / "data/base"
pytestmark = pytest.mark.skipif(
    not (export_gguf.find_site() and (WORDS / "tokenizer.json").exists()),
    reason="NO LLAMA.CPP: run `make .venv-gguf/ready` and `dvc repro fetch`",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an overfitted model, beside its GGUF file."""
    there = tmp_path_factory.mktemp("llama")
    overfitted_model.write_model(there / "model", WORDS)
    with pytest.MonkeyPatch.context() as patch:
        (there / ".venv-gguf").symlink_to(ROOT / ".venv-gguf")
        patch.chdir(there)
        patch.setenv("PYTHONPATH", str(ROOT))
        export_gguf.main(there / "model", Path("gguf"))
        yield there / "model"


def test_llama_cpp_decides_as_predict_does(exported: Path):
    """Its row stands apart: a grammar guides its calls. Prompts and streams have to be the same."""
    predict = config.load("predict", PredictConfig, ROOT / "params.yaml")
    predict = msgspec.structs.replace(predict, max_new_tokens=100)
    comparison = Comparison(list(choose_cases([suite()], SETTINGS)), exported, predict)
    with server_process.running(exported, "llama.cpp") as url:
        comparison.ask(Server(url, 100), SETTINGS.streamed)
    differences = list(comparison.find_differences())
    names = "llama.cpp", find_version("llama.cpp"), "yes"
    row = summarize(comparison, differences, names, SETTINGS.near_tie)
    assert not list(find_problems(row, SETTINGS)), differences
    assert row.thoughts == "kept"
    assert row.equal >= 0.9 * row.requests, differences
    assert row.em > 0.9
