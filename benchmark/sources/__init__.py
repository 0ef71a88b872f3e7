"""Suites derived from other people's benchmarks."""
