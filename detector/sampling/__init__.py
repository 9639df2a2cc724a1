"""Which moments of a period are looked at, and the guarantee that follows. Pure."""
