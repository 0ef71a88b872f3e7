"""The base model: where it comes from, its attention, its loss, its cost."""
