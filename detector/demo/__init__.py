"""Made footage with known answers: real cut-outs on a drawn street, seeded, for tests and for trying a rule."""
