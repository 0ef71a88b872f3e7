"""An OpenAI-compatible server on loopback that answers BFCL's questions with BFCL's own golds.

It is given nothing but the requests, so it shows that the harness sends what was asked, and that
the checker accepts a right answer. `python -m tests.support.bfcl_gold VENV CATEGORY ...` starts one
and prints its address, for `make bfcl URL=… MODEL=gold SLICE=all CATEGORIES=CATEGORY`.
"""

import ast
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.local_server import running_in_a_thread

Json = Any
Calls = list[tuple[str, dict[str, Json]]]
OMITTED = ""  # among the accepted values of an argument
NUMBERS = {"long": "{}L", "Bigint": "{}n"}  # as Java and JavaScript write them; others are plain


def find_data(venv: Path) -> Path:
    """The files of the bfcl-eval that is installed in an environment."""
    (data,) = venv.glob("lib/python3.*/site-packages/bfcl_eval/data")
    return data


def read_lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Golds:
    """The golds of some categories: for each question the calls of each of its turns.

    Of several turns, name one category alone: all four vary the same conversations.
    """

    def __init__(self, data: Path, *categories: str) -> None:
        self.documents = {
            function["name"]: function
            for path in (data / "multi_turn_func_doc").glob("*.json")
            for function in read_lines(path)
        }
        self.conversations: list[tuple[list[str], list[Calls]]] = []  # what the user says, calls
        self.by_id: dict[str, list[Calls]] = {}
        for category in categories:
            self._read_category(data, category)

    def _read_category(self, data: Path, category: str) -> None:
        golds = read_lines(data / f"possible_answer/BFCL_v4_{category}.json")
        for number, entry in enumerate(read_lines(data / f"BFCL_v4_{category}.json")):
            gold = golds[number]["ground_truth"] if golds else []
            said = [list_user_texts(messages) for messages in entry["question"]]
            key = [*map(json.dumps, said)]
            if not entry["id"].startswith("multi_turn"):
                key = [json.dumps([key, [name_tool(f["name"]) for f in entry["function"]]])]
            self.by_id[entry["id"]] = self._list_turns(entry, gold)
            self.conversations.append((key, self.by_id[entry["id"]]))

    def _list_turns(self, entry: Json, gold: Json) -> list[Calls]:
        if entry["id"].startswith("multi_turn"):
            return [[self._parse_call(text) for text in turn] for turn in gold]
        if entry["id"].startswith("live_relevance"):  # any call is right
            return [[(entry["function"][0]["name"], {})]]
        functions = {function["name"]: function for function in entry["function"]}
        language = entry["id"].split("_")[1]
        calls = []
        for call in gold if isinstance(gold, list) else []:
            if not isinstance(call, dict):
                continue
            ((name, accepted),) = call.items()
            schema = functions[name]["parameters"]
            calls.append((name_tool(name), choose(accepted, schema, language)))
        return [calls]

    def _parse_call(self, text: str) -> tuple[str, dict[str, Json]]:
        """`cp('a', destination='b')`; an argument without a name has that of its place."""
        node = ast.parse(text, mode="eval").body
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        names = [*self.documents[node.func.id]["parameters"]["properties"]]
        arguments = {name: ast.literal_eval(v) for name, v in zip(names, node.args, strict=False)}
        for keyword in node.keywords:
            arguments[str(keyword.arg)] = ast.literal_eval(keyword.value)
        return node.func.id, arguments


def list_user_texts(messages: Sequence[Json]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "user"]


def name_tool(name: str) -> str:
    """OpenAI's protocol allows no dot."""
    return name.replace(".", "_")


def choose(accepted: Mapping[str, Json], schema: Json, language: str) -> dict[str, Json]:
    """The first accepted value of every argument that is required or may not be left out."""
    chosen = {}
    for name, values in accepted.items():
        given = [value for value in values if value != OMITTED]
        if given and (OMITTED not in values or name in schema.get("required", [])):
            value, kind = unwrap(given[0]), schema["properties"].get(name, {})
            written = language in ("java", "javascript")
            chosen[name] = write(value, kind, language) if written else value
    return chosen


def unwrap(value: Json) -> Json:
    """A gold object has the accepted values of each key."""
    if isinstance(value, dict):
        chosen = {}
        for key, inner in value.items():
            values = inner if isinstance(inner, list) else [inner]
            if values and OMITTED not in values:
                chosen[key] = unwrap(values[0])
        return chosen
    return [unwrap(inner) for inner in value] if isinstance(value, list) else value


def write(value: Json, schema: Json, language: str) -> str:
    """A value as source text of Java or JavaScript, in the forms that the checker reads."""
    kind, items = schema.get("type", "any"), schema.get("items", {})
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and language == "java":
        puts = "; ".join(f"put({json.dumps(k)}, {json.dumps(v)})" for k, v in value.items())
        return f"new HashMap<>() {{{{ {puts}; }}}}"
    if isinstance(value, list):
        listed = ", ".join(write_item(item, items, language, kind) for item in value)
        java = {"Array": "new Object[]{%s}", "ArrayList": "new ArrayList<>(Arrays.asList(%s))"}
        return java.get(kind, "%s") % listed if language == "java" else f"[{listed}]"
    if kind == "float" and language == "java":
        return f"{value}f"
    return json.dumps(value) if isinstance(value, dict) else NUMBERS.get(kind, "{}").format(value)


def write_item(item: Json, schema: Json, language: str, kind: str) -> str:
    """An item of a collection. The checker keeps the quotes of texts in a Java array."""
    if isinstance(item, str) and (language, kind) == ("java", "Array"):
        return item
    is_plain = isinstance(item, str | dict | list)
    return json.dumps(item) if is_plain else write(item, schema, language)


class GoldServer:
    """`answer` may spoil what it is given before it is sent. Counts the requests."""

    def __init__(self, golds: Golds) -> None:
        self.golds = golds
        self.requests: list[Json] = []
        self.refuse: dict[int, int] = {}  # number of a request -> its HTTP status
        self.url = ""

    def reply(self, request: Json) -> Json:
        messages = request["messages"]
        asked = [message for message in messages if message["role"] == "user"]
        if not request.get("tools"):
            return {"role": "assistant", "content": "Hello."}
        turn, turns = self._find_turns(request, asked)
        if messages[-1]["role"] == "tool" or not turns[turn]:
            return {"role": "assistant", "content": "Done."}
        calls = [
            {"id": f"call{number}", "type": "function",
             "function": {"name": name, "arguments": json.dumps(arguments)}}
            for number, (name, arguments) in enumerate(turns[turn])
        ]  # fmt: skip
        return {"role": "assistant", "content": None, "tool_calls": calls}

    def _find_turns(self, request: Json, asked: Sequence[Json]) -> tuple[int, list[Calls]]:
        """Which turn of which question this is. A turn without a user's words has any."""
        said = [json.dumps([message["content"]]) for message in asked]
        names = [tool["function"]["name"] for tool in request["tools"]]
        whole = json.dumps([[json.dumps([m["content"] for m in asked])], names])
        for texts, turns in self.golds.conversations:
            if texts == [whole]:
                return 0, turns
            if (
                all(a in (b, "[]") for a, b in zip(texts, said, strict=False))
                and texts[0] == said[0]
            ):
                return len(said) - 1, turns
        raise LookupError(f"no question of this category: {said}")

    @contextmanager
    def running(self) -> Iterator["GoldServer"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _build_handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        with running_in_a_thread(server):
            yield self


def _build_handler(gold: GoldServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = json.loads(body)
            gold.requests.append(request)
            status = gold.refuse.get(len(gold.requests), 200)
            if status == 200:
                choice = {"index": 0, "message": gold.reply(request), "finish_reason": "stop"}
                usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                reply = {"id": "1", "object": "chat.completion", "created": 0}
                reply |= {"model": request["model"], "choices": [choice], "usage": usage}
            else:
                reply = {"error": {"message": "refused", "type": "test", "code": None}}
            encoded = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def main() -> None:
    import sys

    golds = Golds(find_data(Path(sys.argv[1])), *sys.argv[2:])
    with GoldServer(golds).running() as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
