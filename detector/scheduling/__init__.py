"""The nights: what runs when, what a run does, and how people see it."""
