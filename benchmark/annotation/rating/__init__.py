"""Answers rated blind by people, from 0 to 5."""
