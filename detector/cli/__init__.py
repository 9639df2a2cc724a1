"""The command `kerbwatch`."""
