"""Runs a plan over recordings and keeps what was seen. The only door to pyarrow."""
