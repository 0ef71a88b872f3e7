"""An in-memory project tree with real contents."""

from fnmatch import fnmatchcase

from agent_tuning.catalogue.simulators.world import draw, pick
from agent_tuning.records import Json

WORDS = ("apples", "bread", "cheese", "dates", "eggs", "flour", "grapes", "honey")


def _table(name: str, header: str, rows: int) -> list[str]:
    return [header, *(f"{pick(WORDS, name, n)},{draw(name, n, below=90)}" for n in range(rows))]


def _code(name: str, functions: int) -> list[str]:
    names = [f"{name}_{pick(WORDS, name, n)}" for n in range(functions)]
    return [f"# {name}", *(line for f in names for line in ("", f"def {f}():", "    pass"))]


def _prose(title: str, lines: int) -> list[str]:
    return [f"# {title}", "", *(f"- {pick(WORDS, title, n)}" for n in range(lines))]


TREE: dict[str, list[str]] = {
    "src/app.py": _code("app", 24),
    "src/cart.py": _code("cart", 11),
    "src/models/user.py": _code("user", 7),
    "src/models/order.py": _code("order", 15),
    "tests/test_cart.py": _code("test_cart", 9),
    "tests/test_user.py": _code("test_user", 5),
    "docs/guide.md": _prose("Guide", 38),
    "docs/faq.md": _prose("FAQ", 17),
    "docs/changes.md": _prose("Changes", 52),
    "data/sales.csv": _table("sales", "product,sold", 120),
    "data/stock.csv": _table("stock", "product,stock", 64),
    "data/raw/survey.csv": _table("survey", "product,votes", 210),
    "config/server.toml": ["[server]", "port = 8080", "workers = 4", "", "[log]", "level = 2"],
    "config/colors.json": ["{", '  "menu": "teal",', '  "text": "black"', "}"],
    "logs/server.log": [f"{n:03} {pick(('ok', 'ok', 'retry'), 'log', n)}" for n in range(85)],
    "logs/error.log": [f"{n:03} no {pick(WORDS, 'error', n)}" for n in range(13)],
    "notes/todo.txt": [f"buy {word}" for word in WORDS],
    "notes/ideas.txt": [f"sell {word} online" for word in WORDS[:5]],
    "src/readme.md": _prose("Source", 9),
    "src/models/readme.md": _prose("Models", 7),
    "src/models/test_order.csv": _table("test_order", "product,price", 18),
    "src/server.py": _code("server", 19),
    "tests/readme.md": _prose("Tests", 8),
    "tests/test_run.log": [f"{n:03} passed" for n in range(33)],
    "tests/users.csv": _table("users", "name,age", 12),
    "docs/server.txt": _prose("Server", 21),
    "docs/user_names.csv": _table("user_names", "name,visits", 27),
    "data/readme.md": _prose("Data", 6),
    "data/load.py": _code("load", 4),
    "data/raw/user_notes.txt": _prose("User notes", 14),
    "config/users.txt": [f"user {word}" for word in WORDS[:6]],
    "config/test_mode.toml": ["[test]", "fast = true", "", "[user]", "name = 1"],
    "logs/user.log": [f"{n:03} login {draw('user', n, below=40)}" for n in range(46)],
    "logs/test_export.csv": _table("test_export", "product,errors", 23),
    "notes/server.md": _prose("Server plan", 16),
    "notes/test_plan.md": _prose("Test plan", 11),
    "scripts/build.py": _code("build", 8),
    "scripts/deploy.py": _code("deploy", 13),
    "web/menu.md": _prose("Menu", 10),
    "web/visits.csv": _table("visits", "page,visits", 31),
    "backup/stock.csv": _table("old_stock", "product,stock", 58),
    "backup/notes.txt": _prose("Old notes", 12),
    "examples/first.py": _code("first", 3),
    "examples/second.py": _code("second", 6),
    "reports/march.csv": _table("march", "product,sold", 44),
    "reports/summary.md": _prose("Summary", 20),
}


def _size(path: str) -> int:
    return sum(len(line) + 1 for line in TREE[path])


def _inside(folder: str) -> list[str]:
    return [path for path in TREE if path.startswith(folder.strip("/") + "/")]


def list_directory(folder: str) -> dict[str, Json]:
    """The direct entries of a folder; the largest file anywhere below it."""
    paths = _inside(folder)
    depth = len(folder.strip("/").split("/"))
    names = list(dict.fromkeys(path.split("/")[depth] for path in paths))
    largest = max(paths, key=_size, default="")
    return {"count": len(names), "names": names, "largest": largest}


def read_file(path: str, lines: int = 3) -> dict[str, Json]:
    """The first lines of a file."""
    first, *rest = TREE.get(path, ["no such file"])[:lines]
    return {"first": first, "rest": rest}


def count_lines(path: str) -> dict[str, Json]:
    content = TREE.get(path, [])
    return {"lines": len(content), "blank": content.count("")}


def find_files(pattern: str, folder: str = "") -> dict[str, Json]:
    """Files whose name matches a shell pattern."""
    paths = _inside(folder) if folder else list(TREE)
    matches = [path for path in paths if fnmatchcase(path.rsplit("/", 1)[-1], pattern)]
    return {"count": len(matches), "first": matches[0] if matches else "", "paths": matches[:3]}


TOOLS = (list_directory, read_file, count_lines, find_files)
