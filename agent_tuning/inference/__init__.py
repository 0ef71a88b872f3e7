"""Greedy decoding that reads a shared prompt once."""
