"""From make to a job: requirements, run folder, submission, waiting, collecting."""
