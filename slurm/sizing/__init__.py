"""The sizes: their numbers, their base models, and what they cost."""
