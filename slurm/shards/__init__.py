"""A large synthesis as an array of jobs."""
