"""The tools of any MCP server, called like the simulators of a `World`."""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from agent_tuning.mcp_tools import tool_list
from agent_tuning.mcp_tools.server import MISSING
from agent_tuning.records import BadInput, Call, Json, Tool

TIMEOUT = 60.0  # seconds for one request


class McpConnection:
    """`tools` are those that the server listed when the connection opened."""

    def __init__(self, portal: BlockingPortal, client: Any, source: str) -> None:
        self._portal = portal
        self._client = client
        self.tools: tuple[Tool, ...] = portal.call(self._list_tools, source)

    def observe(self, call: Call) -> dict[str, Json]:
        """The observation of a call: `{"error": reason}` if it fails, or the server is gone."""
        return self._portal.call(self._call_tool, call)

    async def _list_tools(self, source: str) -> tuple[Tool, ...]:
        listed: list[Json] = []
        page = await self._client.list_tools()
        while True:
            listed += [tool.model_dump(by_alias=True, exclude_none=True) for tool in page.tools]
            if not page.next_cursor:
                return tool_list.read_tool_list({"tools": listed}, source)
            page = await self._client.list_tools(cursor=page.next_cursor)

    async def _call_tool(self, call: Call) -> dict[str, Json]:
        from mcp.shared.exceptions import MCPError

        try:
            result = await self._client.call_tool(call.name, call.arguments)
        except MCPError as error:
            return {"error": error.error.message}
        texts = [part.text for part in result.content if part.type == "text"]
        return tool_list.read_observation(result.structured_content, texts, result.is_error)


@contextmanager
def connect(server: str) -> Iterator[McpConnection]:
    """Connect to the server at a URL, or start one with a command line and speak over its stdin.

    Raises BadInput, with one line, if it cannot be reached or started, or lists no usable tools.
    """
    try:
        from mcp import Client, MCPError, StdioServerParameters
    except ImportError as error:
        raise BadInput(MISSING) from error

    target: Any = server
    if not server.startswith(("http://", "https://")):
        command, *arguments = shlex.split(server) or [""]
        target = StdioServerParameters(command=command, args=arguments)
    with start_blocking_portal() as portal, ExitStack() as stack:
        client = portal.wrap_async_context_manager(Client(target, read_timeout_seconds=TIMEOUT))
        try:
            opened = stack.enter_context(client)
        except (OSError, ValueError, MCPError, ExceptionGroup) as error:
            raise BadInput(f"{server}: no MCP server: {_find_reason(error)}") from error
        try:
            yield McpConnection(portal, opened, server)
        finally:
            stack.close()  # the client would put an exception that it sees into a group


def _find_reason(error: BaseException) -> str:
    """The first line of the first error in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error).splitlines() or [type(error).__name__])[0]
