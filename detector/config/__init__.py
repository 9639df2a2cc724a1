"""YAML in; frozen settings, or every fault at once, out. Also writes the example of 39 points."""
