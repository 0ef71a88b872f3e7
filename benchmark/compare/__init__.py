"""Two versions task by task, and what a version has to hold."""
