"""Full-parameter training: the Trainer, its data, checkpoints and processes."""
