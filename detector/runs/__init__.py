"""Nightly runs in the database: who may run, what a run did, which days are done, and what was removed."""
