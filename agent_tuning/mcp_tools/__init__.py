"""MCP (Model Context Protocol): our simulators for clients, servers' tools for our models."""
