"""Engines answer questions: a model in this process, in vLLM, or behind a server."""
