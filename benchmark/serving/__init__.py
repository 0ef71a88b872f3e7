"""Use a tuned folder: behind a server, in a terminal, and checked against `predict`."""
