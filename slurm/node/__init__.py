"""What a job checks on every node, and how it starts its ranks there."""
