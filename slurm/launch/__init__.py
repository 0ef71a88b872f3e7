"""From `make train` to a job: requirements, run folder, submission, waiting, collecting."""
