"""Suites of our own, drafted from the held-out part of the grammar."""
