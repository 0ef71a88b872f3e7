"""Training data: the plan, teachers, hard negatives, renaming and value randomization."""
