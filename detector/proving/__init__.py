"""A closer look at a suspicion: is it one and the same object, since when, until when. Drops it where it is not."""
