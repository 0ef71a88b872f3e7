"""What a good model does: suites of tasks, scorers, metrics, baselines and the report."""
