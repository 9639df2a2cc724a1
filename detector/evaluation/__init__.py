"""Labels in, scores out: how much is found, how much is raised in vain, how well it is timed."""
