"""`kerbwatch bench`: what a scan costs beside what people would do instead, on made recordings, in one run."""

from typing import Final

LIMIT_S: Final = 180.0
"""How long a vehicle may stand, for kerbwatch and for the others."""

LOOK_WH: Final = (640, 384)
"""The model's input, which looks are made to fit."""
