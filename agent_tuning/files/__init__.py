"""Read and write files of records; bad input is one line with file, line and field."""
