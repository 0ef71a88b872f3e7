"""What every node of a job does before and while its ranks run."""
