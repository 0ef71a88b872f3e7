"""People and judges: review of candidates, ratings of answers, and their agreement."""
