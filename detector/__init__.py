"""kerbwatch: nightly compliance checks over a city's surveillance recordings."""

__version__ = "0.1.0"
