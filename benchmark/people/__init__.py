"""People in the loop: they review drafted tasks and rate answers, in a browser."""
