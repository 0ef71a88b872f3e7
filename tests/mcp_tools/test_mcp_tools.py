"""The simulators behind MCP, and the tools of an MCP server, over the official SDK."""

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.mcp_tools import tool_list
from agent_tuning.mcp_tools.server import list_callable_tools
from agent_tuning.records import BadInput, Call, Tool

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "data/catalogue"
SHOP = ("shop", "cart")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def command(*words: object) -> str:
    """The server's command line. The SDK passes on little of the environment."""
    path = f"PYTHONPATH={':'.join(part for part in [str(ROOT), *sys.path] if part)}"
    module = [sys.executable, "-m", "agent_tuning.mcp_tools.server", CATALOGUE, *words]
    return shlex.join(["env", path, *map(str, module)])


@pytest.fixture
def address() -> Iterator[str]:
    """Of a server over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = shlex.split(command(*SHOP, "--port", port))
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def shop_for_two_lamps(server: str) -> None:
    from agent_tuning.mcp_tools.client import connect

    with connect(server) as shop:
        assert shop.tools == list_callable_tools(Catalogue(CATALOGUE, SHOP))
        world = Catalogue(CATALOGUE).world()
        calls = (
            Call("check_stock", {"product": "Zeno S3"}),
            Call("add_to_cart", {"product": "Zeno S3"}),
            Call("add_to_cart", {"product": "Zeno S3"}),  # it sees the first one
            Call("apply_coupon", {"code": "NOPE"}),
        )
        assert [shop.observe(call) for call in calls] == [world.observe(call) for call in calls]
        missing = shop.observe(Call("add_to_cart", {}))
        assert missing == {"error": "missing_argument: add_to_cart.product"}
        assert "error" in shop.observe(Call("no_such_tool", {}))


def test_an_mcp_client_uses_the_shop_over_stdin() -> None:
    pytest.importorskip("mcp")
    shop_for_two_lamps(command(*SHOP))


def test_an_mcp_client_uses_the_shop_over_http_on_loopback(address: str) -> None:
    pytest.importorskip("mcp")
    assert address.startswith("http://127.0.0.1:")
    shop_for_two_lamps(address)
    port = address.split(":")[2].split("/")[0]
    words = shlex.split(command("--port", port))
    busy = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert busy.stderr == f"error: MCP_PORT={port}: Address already in use; choose another port\n"


def test_a_port_that_there_cannot_be_is_one_line() -> None:
    pytest.importorskip("mcp")
    words = shlex.split(command("weather", "--port", 70000))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("error: MCP_PORT=70000: "), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_call_that_a_simulator_cannot_make_says_why() -> None:
    pytest.importorskip("mcp")
    from agent_tuning.mcp_tools.client import connect

    with connect(command("calendar")) as server:
        dates = {"start_date": "2024-02-30", "end_date": "2024-03-01"}
        made = server.observe(Call("days_between", dates))
    assert str(made["error"]).startswith("impossible: day ")


# An MCP server with one tool, whose results miss their schema; or, as `without`, with no method.
ODD = """
import sys, anyio
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

async def list_tools(context, params):
    a = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    one = types.Tool(name="one", description="", input_schema={"type": "object"}, output_schema=a)
    return types.ListToolsResult(tools=[one])

async def call_tool(context, params):
    return types.CallToolResult(content=[], structured_content={"a": "no"})

methods = {} if "without" in sys.argv else {"on_list_tools": list_tools, "on_call_tool": call_tool}
server = Server("odd", version="1", **methods)

async def serve():
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())

anyio.run(serve)
"""


def test_a_result_that_misses_its_schema_ends_no_conversation() -> None:
    pytest.importorskip("mcp")
    from agent_tuning.mcp_tools.client import connect

    with connect(shlex.join([sys.executable, "-c", ODD])) as server:
        made = server.observe(Call("one", {}))
        assert str(made["error"]).startswith("Invalid structured content returned by tool one: ")
        assert "\n" not in str(made["error"])
        assert server.observe(Call("one", {})) == made


def test_a_server_that_lists_no_tools_is_one_line() -> None:
    pytest.importorskip("mcp")
    from agent_tuning.mcp_tools.client import connect

    line = shlex.join(["env", "TOKEN=s3cret", sys.executable, "-c", ODD, "without"])
    with pytest.raises(BadInput) as caught, connect(line):
        pass
    assert str(caught.value) == f"{sys.executable}: tools/list: Method not found"


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("no-such-command", "no-such-command: no MCP server: [Errno 2] No such file"),
        ("false", "false: no MCP server: "),
        ("http://127.0.0.1:9/mcp", "http://127.0.0.1:9/mcp: no MCP server: "),
        ("http://me:s3cret@127.0.0.1:9/mcp?key=s3cret", "http://127.0.0.1:9/mcp: no MCP server: "),
        ("env -i TOKEN=s3cret no-such-command --key s3cret", "no-such-command: no MCP server: "),
        ("TOKEN=s3cret no-such-command", "MCP: expected a URL or a command; variables as in `env "),
        ("no-such-command '", "MCP: no command line: No closing quotation"),
        (" ", "MCP: expected a URL or a command"),
    ],
)
def test_what_is_no_mcp_server_is_one_line(server: str, reason: str) -> None:
    pytest.importorskip("mcp")
    from agent_tuning.mcp_tools.client import connect

    with pytest.raises(BadInput) as caught, connect(server):
        pass
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("error", [BadInput, KeyboardInterrupt])
def test_what_goes_wrong_beside_the_server_is_raised_as_it_is(error: type[BaseException]) -> None:
    pytest.importorskip("mcp")
    from agent_tuning.mcp_tools.client import connect

    with pytest.raises(error, match="too long"), connect(command("weather")):
        raise error("too long")


@pytest.mark.parametrize("envelope", [True, False])
def test_a_tools_list_becomes_our_tools(envelope: bool) -> None:
    """Also names that no catalogue file could have: a prompt can list them."""
    listed = {"tools": [
        {"name": "get-weather", "description": "Weather.", "inputSchema": SCHEMA},
        {"name": "now", "title": "The time", "inputSchema": {"type": "object"}},
    ]}  # fmt: skip
    document = {"jsonrpc": "2.0", "id": 1, "result": listed} if envelope else listed
    assert tool_list.read_tool_list(document, "here") == (
        Tool("get-weather", "Weather.", SCHEMA),
        Tool("now", "The time", {"type": "object"}),
    )


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ([], "here: tools/list: no tools"),
        ([{"name": "a", "inputSchema": {"type": "string"}}], "inputSchema: expected parameters"),
        ([{"name": "a", "inputSchema": SCHEMA}] * 2, "menu_name: a appears 2 times"),
        ({}, "tools"),
    ],
)
def test_a_tools_list_that_cannot_be_used_is_one_line(tools: object, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        tool_list.read_tool_list({"tools": tools}, "here")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("structured", "texts", "failed", "observation"),
    [
        ({"a": 1}, ["{}"], False, {"a": 1}),
        (None, ['{"a": 1}'], False, {"a": 1}),
        (None, ["It rains.", "It pours."], False, {"result": "It rains.\nIt pours."}),
        ([1, 2], ["[1, 2]"], False, {"result": [1, 2]}),
        (None, ["no such city"], True, {"error": "no such city"}),
        ({"error": "no such city"}, ["{}"], True, {"error": "no such city"}),
        (None, [], True, {"error": "the tool failed"}),
    ],
)
def test_what_a_call_gave_back_is_an_observation(structured, texts, failed, observation) -> None:
    assert tool_list.read_observation(structured, texts, failed) == observation
