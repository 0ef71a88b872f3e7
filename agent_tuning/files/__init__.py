"""Records to files and back, with one clear line on bad input."""
