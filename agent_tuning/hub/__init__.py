"""A model hub: put the folder of a tuned model there."""
