"""Candidates for a suite, checked and corrected by people."""
