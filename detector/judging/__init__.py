"""Observations to suspected incidents: stays, one rule a file. Pure: no file, no clock, no model."""
