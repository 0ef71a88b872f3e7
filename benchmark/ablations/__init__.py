"""What each ingredient of a recipe buys: trainings without it, beside the recipe as it is."""
