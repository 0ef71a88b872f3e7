"""A chat model rates answers and candidates by the same bands as people."""
