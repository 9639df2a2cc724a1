"""What is served, a subject a file; each file has a `router`."""
