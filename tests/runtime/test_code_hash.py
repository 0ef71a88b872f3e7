"""A code hash changes with what the code computes, and with nothing else."""

import ast
import json
from pathlib import Path

import pytest

from agent_tuning.records import BadInput
from agent_tuning.runtime import code_hash
from agent_tuning.runtime.code_hash import hash_code
from stages import code_hashes

FILES = {
    "stages/__init__.py": "",
    "stages/train.py": (
        '"""Train."""\nimport torch\nfrom agent_tuning import packs\n\n\ndef main():\n'
        '    """Go."""\n    return packs.LENGTH\n'
    ),
    "agent_tuning/__init__.py": "",
    "agent_tuning/packs.py": "import agent_tuning.rows.near\n\nLENGTH = 3\n",
    "agent_tuning/rows/__init__.py": "",
    "agent_tuning/rows/near.py": (
        "from agent_tuning.rows import far\n\n\nclass Near:\n    x = far.X\n"
    ),
    "agent_tuning/rows/far.py": "import stages.train\n\nX = 1\n",
    "agent_tuning/alone.py": "Y = 2\n",
}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    Path("lock").write_text("# made by pip\ntorch==2.1.0\nmsgspec==0.22.0\n    # via x\n")


def digests() -> dict[str, str]:
    return hash_code(Path("stages/train.py"), Path("lock")).files


def test_it_reaches_files_through_several_imports_and_no_others():
    assert digests().keys() == FILES.keys() - {"agent_tuning/alone.py"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("agent_tuning/packs.py", "LENGTH = 3", "# long\nLENGTH = 3  # enough"),
        ("agent_tuning/packs.py", "LENGTH = 3", "LENGTH   =   (\n    3\n)"),
        ("stages/train.py", '"""Train."""', '"""Train and more."""'),
        ("stages/train.py", '    """Go."""\n', ""),
        ("agent_tuning/rows/near.py", "class Near:\n", 'class Near:\n    """Close by."""\n\n'),
        ("agent_tuning/alone.py", "2", "3"),
    ],
    ids=["comment", "layout", "module docstring", "no docstring", "class docstring", "unreached"],
)
def test_what_computes_the_same_has_the_same_hash(name, old, new):
    before = digests()
    Path(name).write_text(FILES[name].replace(old, new))
    assert digests() == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stages/train.py", "packs.LENGTH", "packs.LENGTH + 1"),
        ("agent_tuning/packs.py", "3", "3.0"),
        ("agent_tuning/rows/far.py", "X = 1", 'X = "1"'),
        ("agent_tuning/rows/near.py", "x =", "y ="),
        ("agent_tuning/rows/__init__.py", "", "import agent_tuning.alone"),
    ],
    ids=["script", "one import away", "three away", "a name", "a package's own code"],
)
def test_what_computes_something_else_has_another(name, old, new):
    before = digests()
    Path(name).write_text(FILES[name].replace(old, new, 1))
    assert digests() != before


def test_it_names_the_locked_releases_of_what_is_imported():
    code_hashes.main(Path("lock"), Path("out"), Path("train"))
    content = json.loads(Path("out/train.json").read_text())
    assert content == {"files": digests(), "packages": {"torch": "2.1.0"}}


def test_a_lock_without_pins_is_bad_input():
    Path("lock").write_text("torch\n")
    with pytest.raises(BadInput, match="lock: expected lines such as name==version"):
        code_hashes.main(Path("lock"), Path("out"), Path("train"))


def test_no_file_of_ours_imports_relatively():
    """Such an import would not be followed."""
    root = Path(code_hash.__file__).parents[2]
    for package in code_hash.PACKAGES:
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_every_python_gives_the_hash_that_python_3_11_gave():
    """Else a clone with another Python would train again."""
    Path("stages/train.py").write_text(
        "def f(x, *y, z=[]):\n    return {x: [*y, f'{z!r:>3}']}\n\n\n"
        "class C:\n    async def g(self):\n        return\n"
    )
    assert digests()["stages/train.py"] == (
        "66e2eb18e1bb1e7b51c22def3f6c6745de4706882b72e6a50953b07be59eb81c"
    )
