"""What may be trained on: validation, near-duplicates, decontamination, word overlap."""
