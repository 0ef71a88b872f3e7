"""The sizes: their parameters, their base models, and what they cost."""
