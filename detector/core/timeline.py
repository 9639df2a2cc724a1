"""How the pictures of a file lie on the recorder's clock.

Three clocks are in use:

- *recorder offset*: seconds after the recording's start on the recorder's clock.
- *media time*: seconds after the file's first picture that can be decoded, with the breaks of the stream's clock
  taken out.
- *stream time*: what the container states for a picture. It may begin anywhere, jump and restart.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

TINY_S = 1e-6
"""Moments closer than this are the same: sums of fractions of a second are rounded."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the stream's clock jumps. `media_s` is the media time of the first picture behind it.

    `jump_s` is how much further the clock moves than one picture takes; it is negative where the clock goes back.
    """

    media_s: float
    jump_s: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Pictures without a break. They begin at the recorder offset `at_s`, which is the media time `media_s`.

    They last `length_s` of media time. `rate` is media seconds per second of the recorder's clock. Raises ValueError
    where the length or the rate is not above 0.
    """

    at_s: float
    media_s: float
    length_s: float
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not (self.length_s > 0 and self.rate > 0 and self.at_s >= 0):
            raise ValueError(
                f"a piece needs a length and a rate above 0 and a start of 0 or later, got {self}"
            )

    @property
    def until_s(self) -> float:
        """The recorder offset at which the piece ends."""
        return self.at_s + self.length_s / self.rate

    def media_at(self, offset_s: float) -> float:
        """The media time of a recorder offset, as if the piece had no ends."""
        return self.media_s + (offset_s - self.at_s) * self.rate

    def offset_of(self, media_s: float) -> float:
        """The recorder offset of a media time, as if the piece had no ends."""
        return self.at_s + (media_s - self.media_s) / self.rate


@dataclass(frozen=True, slots=True)
class Timeline:
    """A rising, piecewise linear mapping from recorder offsets to media time.

    `origin_s` is the stream time of media time 0. `breaks` are the jumps of the stream's clock that media time leaves
    out. `picture_hz` is set where pictures carry no times and are counted: so many last one second of media time.
    Raises ValueError where pieces are missing, overlap or go back.
    """

    origin_s: float
    pieces: tuple[Piece, ...]
    breaks: tuple[Break, ...] = ()
    picture_hz: float | None = None

    def __post_init__(self) -> None:
        if not self.pieces:
            raise ValueError("a timeline needs at least one piece")
        for before, after in pairwise(self.pieces):
            media_end_s = before.media_s + before.length_s
            if after.at_s < before.until_s - TINY_S or after.media_s < media_end_s - TINY_S:
                raise ValueError(f"pieces must follow each other, got {before} and {after}")

    @property
    def key(self) -> str:
        """Names the mapping: the same text for the same mapping."""
        return hashlib.sha256(repr(self.to_json()).encode()).hexdigest()[:12]

    @property
    def is_converted(self) -> bool:
        """Whether times are not those of the stream's clock: it jumped, ran fast or slow, or there was none."""
        return bool(self.breaks) or self.picture_hz is not None or any(p.rate != 1.0 for p in self.pieces)

    @property
    def starts_s(self) -> float:
        """The recorder offset of the first picture."""
        return self.pieces[0].at_s

    @property
    def ends_s(self) -> float:
        """The recorder offset at which the last picture ends."""
        return self.pieces[-1].until_s

    @property
    def shown_s(self) -> float:
        """How many seconds of the recorder's clock have pictures."""
        return sum(piece.until_s - piece.at_s for piece in self.pieces)

    def holes(self) -> list[tuple[float, float]]:
        """The stretches between pieces, [from, until), as recorder offsets."""
        ends = ((before.until_s, after.at_s) for before, after in pairwise(self.pieces))
        return [(start_s, end_s) for start_s, end_s in ends if end_s - start_s > TINY_S]

    def piece_at(self, offset_s: float) -> Piece | None:
        """The piece that shows a recorder offset; None where there are no pictures."""
        index = bisect_right(self.pieces, offset_s + TINY_S, key=lambda piece: piece.at_s) - 1
        if index < 0 or offset_s > self.pieces[index].until_s + TINY_S:
            return None
        return self.pieces[index]

    def offset_of(self, media_s: float) -> float:
        """The recorder offset of a picture at a media time."""
        index = bisect_right(self.pieces, media_s + TINY_S, key=lambda piece: piece.media_s) - 1
        return self.pieces[max(0, index)].offset_of(media_s)

    def to_json(self) -> dict[str, Any]:
        """Plain values, in seconds, unrounded: pieces that were rounded may overlap."""
        return {
            "origin_s": self.origin_s,
            "pieces": [[p.at_s, p.media_s, p.length_s, p.rate] for p in self.pieces],
            "breaks": [[b.media_s, b.jump_s] for b in self.breaks],
            "picture_hz": self.picture_hz,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            float(stored["origin_s"]),
            tuple(Piece(*map(float, piece)) for piece in stored["pieces"]),
            tuple(Break(*map(float, jump)) for jump in stored["breaks"]),
            stored["picture_hz"],
        )
