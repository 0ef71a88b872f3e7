"""From answers to metrics: outcomes, scorers, baselines, significance."""
