"""Episodes: a model acts in simulated worlds, and its goals are checked."""
