"""Asking any OpenAI-compatible server: requests, retries, budget, a store of paid answers."""
