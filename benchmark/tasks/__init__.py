"""Tasks, episodes and suites: records, files, versions and samples."""
