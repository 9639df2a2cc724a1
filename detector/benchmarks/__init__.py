"""`kerbwatch bench`: what a scan costs beside what people would do instead, on made recordings, in one run."""
