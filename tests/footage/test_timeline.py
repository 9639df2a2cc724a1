"""How a recording's time is reconciled from its name, the next file, its container and its pictures' times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detector.core.timeline import Break, Piece, Timeline
from detector.core.values import MediaInfo
from detector.footage.timeline import EXACT_S, Bounds, Placed, Unplaceable, disagrees, reconcile

PLAIN = MediaInfo("h264", (640, 360), 0.0, 240.0, measured_hz=12.5, stated_hz=12.5, complete=True)
NO_RATE = replace(PLAIN, stated_hz=None)
STREAM = replace(PLAIN, complete=False)
"""A transport stream: nothing in it says that it is whole."""

Shown = list[tuple[float, float, float]]
"""From and until on the recorder's clock, and the media time at the beginning."""


@dataclass(frozen=True)
class Line:
    """A synthetic timeline, what bounds it, and what is right."""

    name: str
    info: MediaInfo
    bounds: Bounds
    shown: Shown
    rate: float = 1.0
    is_short: bool = False
    says: tuple[str, ...] = field(default=())


def jumping(*breaks: tuple[float, float], of: MediaInfo = PLAIN, lasts_s: float = 240.0) -> MediaInfo:
    return replace(of, duration_s=lasts_s, breaks=tuple(Break(*one) for one in breaks))


def paced(pace: float, of: MediaInfo = PLAIN, lasts_s: float = 240.0) -> MediaInfo:
    """A container whose clock runs `pace` times as fast."""
    return replace(of, duration_s=lasts_s * pace, measured_hz=(of.measured_hz or 0) / pace)


N240, FREE = Bounds(named_s=240.0), Bounds()

LINES = [
    Line("as its name says", PLAIN, N240, [(0, 240, 0)]),
    Line("no end anywhere", PLAIN, FREE, [(0, 240, 0)]),
    Line("two seconds too long", replace(PLAIN, duration_s=242.0), N240, [(0, 240, 0)]),
    Line("two seconds too short", replace(PLAIN, duration_s=238.0), N240, [(0, 238, 0)]),
    Line("within the next file's start", PLAIN, Bounds(next_s=3600.0, next_long_s=240.0), [(0, 240, 0)]),
    Line("jump of 10 h", jumping((120, 36000)), N240, [(0, 120, 0), (120, 240, 120)], says=("jumps ahead by 36000 s after 120 s", "as its name says")),
    Line("jump of 10 h, next file", jumping((120, 36000)), Bounds(next_s=240.0), [(0, 120, 0), (120, 240, 120)], says=("as the next file says",)),
    Line("jump of 10 h, next file later", jumping((120, 36000)), Bounds(next_s=3600.0, next_long_s=240.0), [(0, 120, 0), (120, 240, 120)], says=("nothing says",)),
    Line("jump of 10 h, sub stream beside", jumping((120, 36000)), Bounds(next_s=2.0, next_long_s=238.0), [(0, 120, 0), (120, 240, 120)], says=("nothing says",)),
    Line("hole that the name confirms", jumping((60, 30), lasts_s=210.0), N240, [(0, 60, 0), (90, 240, 60)], is_short=True, says=("pictures are missing",)),
    Line("hole, no end anywhere", jumping((60, 30), lasts_s=210.0), FREE, [(0, 60, 0), (90, 240, 60)], is_short=True),
    Line("hole that the name denies", jumping((60, 30)), N240, [(0, 60, 0), (60, 240, 60)]),
    Line("a hole and a clock set", jumping((60, 30), (100, 7200), lasts_s=210.0), N240, [(0, 60, 0), (90, 130, 60), (130, 240, 100)], is_short=True),
    Line("restart", jumping((40, -40), of=STREAM), N240, [(0, 40, 0), (40, 240, 40)], says=("goes back by 40 s after 40 s",)),
    Line("restart, no end anywhere", jumping((40, -40), of=STREAM), FREE, [(0, 40, 0), (40, 240, 40)], says=("nothing says how long",)),
    Line("restarts", jumping((40, -40), (90, -50), (200, -110), of=STREAM), N240, [(0, 40, 0), (40, 90, 40), (90, 200, 90), (200, 240, 200)]),
    Line("restart, pictures missing", jumping((40, -40), of=STREAM, lasts_s=220.0), N240, [(0, 40, 0), (60, 240, 40)], is_short=True, says=("20 s of the 240 s in its name are missing",)),
    Line("restarts, pictures missing", jumping((40, -40), (90, -50), of=STREAM, lasts_s=220.0), N240, [(0, 40, 0), (110, 240, 90)], is_short=True, says=("50 s of pictures cannot be placed",)),
    Line("restart, most is missing", jumping((40, -40), of=STREAM, lasts_s=100.0), N240, [(0, 40, 0)], is_short=True, says=("60 s of pictures cannot be placed",)),
    Line("restart, and too long", jumping((40, -40), of=STREAM, lasts_s=300.0), N240, [(0, 32, 0), (32, 240, 40)], rate=1.25, says=("times are spread over those",)),
    Line("fast clock, no end anywhere", paced(1.1), FREE, [(0, 264, 0)], says=("nothing says which is right", "24 s off")),
    Line("fast clock, next file far off", paced(1.1), Bounds(next_s=3600.0, next_long_s=240.0), [(0, 264, 0)], says=("nothing says which is right",)),
    Line("half the pictures, no end anywhere", replace(PLAIN, measured_hz=6.25), FREE, [(0, 240, 0)]),
    Line("fast clock", paced(1.25), N240, [(0, 240, 0)], rate=1.25, says=("300 s by its container and 240 s by its name",)),
    Line("slow clock", paced(0.8), N240, [(0, 240, 0)], rate=0.8),
    Line("fast clock of a stream", paced(1.25, STREAM), N240, [(0, 240, 0)], rate=1.25),
    Line("slow clock of a stream", paced(0.8, STREAM), N240, [(0, 240, 0)], rate=0.8),
    Line("fast by one in a hundred", paced(1.01, lasts_s=3600.0), Bounds(named_s=3600.0), [(0, 3600, 0)], rate=1.01),
    Line("short by one in a thousand", replace(PLAIN, duration_s=3596.4), Bounds(named_s=3600.0), [(0, 3596.4, 0)], says=("ends 4 s before",)),
    Line("the same, rate unknown", replace(NO_RATE, duration_s=3596.4), Bounds(named_s=3600.0), [(0, 3596.4, 0)], says=("ends 4 s before",)),
    Line("clock five times as fast", paced(5.0), N240, [(0, 240, 0)], rate=5.0),
    Line("fast clock, rate unknown", paced(1.25, NO_RATE), N240, [(0, 240, 0)], rate=1.25),
    Line("slow clock, rate unknown", paced(0.8, NO_RATE), N240, [(0, 240, 0)], rate=0.8),
    Line("fast clock, next file", paced(1.25), Bounds(next_s=240.0, next_long_s=300.0), [(0, 240, 0)], rate=1.25, says=("the next file begins after 240 s",)),
    Line("cut stream, rate unknown", paced(0.8, replace(STREAM, stated_hz=None)), N240, [(0, 192, 0)], is_short=True, says=("breaks off after 192 s of the 240 s in its name",)),
    Line("rate confirmed, too short", replace(PLAIN, duration_s=180.0), N240, [(0, 180, 0)], is_short=True, says=("breaks off after 180 s of the 240 s in its name",)),
    Line("rate confirmed, a little short", replace(PLAIN, duration_s=232.0), N240, [(0, 232, 0)], says=("ends 8 s before the end in its name",)),
    Line("rate confirmed, a little long", replace(PLAIN, duration_s=247.0), N240, [(0, 240, 0)], says=("runs 7 s over its name",)),
    Line("rate confirmed, much too long", replace(PLAIN, duration_s=300.0), N240, [(0, 240, 0)], rate=1.25),
    Line("claims 10 h", replace(PLAIN, duration_s=36000.0), N240, [(0, 240, 0)], says=("runs 35760 s over its name",)),
    Line("breaks off", replace(PLAIN, duration_s=100.0, truncated=True, complete=False), N240, [(0, 100, 0)], is_short=True, says=("breaks off after 100 s of the 240 s",)),
    Line("breaks off, no end anywhere", replace(PLAIN, truncated=True), FREE, [(0, 240, 0)], is_short=True, says=("breaks off after 240 s",)),
    Line("still being written", replace(NO_RATE, duration_s=100.0), Bounds(named_s=240.0, is_final=False), [(0, 100, 0)], is_short=True),
    Line("begins with undecodable pictures", replace(PLAIN, lead_s=8.0, duration_s=232.0), N240, [(8, 240, 0)], says=("its first 8.0 s cannot be decoded",)),
    Line("the same, fast clock", replace(paced(1.25, lasts_s=232.0), lead_s=10.0), N240, [(8, 240, 0)], rate=1.25),
    Line("the same, no end anywhere", replace(PLAIN, lead_s=8.0), FREE, [(8, 248, 0)]),
    Line("late by an edit list", replace(PLAIN, late_s=8.0, duration_s=232.0), N240, [(8, 240, 0)], says=("its video begins 8.0 s after its start",)),
    Line("late, which the name denies", replace(PLAIN, late_s=47.0), N240, [(0, 240, 0)]),
    Line("late, which the next file confirms", replace(PLAIN, late_s=47.0), Bounds(next_s=287.0), [(47, 287, 0)]),
    Line("late by little, no end anywhere", replace(PLAIN, late_s=8.0), FREE, [(8, 248, 0)]),
    Line("late by much, no end anywhere", replace(PLAIN, late_s=47.0), FREE, [(0, 240, 0)]),
    Line("no times, named", replace(STREAM, timed=False), Bounds(named_s=480.0), [(0, 480, 0)], rate=0.5, says=("6.25 a second follow from its name",)),
    Line("no times, rate stated", replace(STREAM, timed=False), FREE, [(0, 240, 0)], says=("counted at 12.5 a second, as the stream states",)),
    Line("overlaps the next by little", replace(PLAIN, duration_s=245.0), Bounds(next_s=240.0, next_long_s=245.0), [(0, 245, 0)]),
    Line("overlaps the next by much", replace(PLAIN, duration_s=300.0), Bounds(next_s=240.0, next_long_s=300.0), [(0, 240, 0)], says=("runs 60 s over the next file's start",)),
    Line("holds the next whole", replace(PLAIN, duration_s=300.0), Bounds(next_s=60.0, next_long_s=100.0), [(0, 300, 0)]),
]  # fmt: skip


def placed(info: MediaInfo, bounds: Bounds) -> Placed:
    found = reconcile(info, bounds)
    assert isinstance(found, Placed)
    return found


def pieces(found: Placed, info: MediaInfo) -> list[Piece]:
    if found.timeline is None:
        return [Piece(0.0, 0.0, found.covers_s)]
    assert found.timeline.origin_s == info.start_s
    return list(found.timeline.pieces)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_every_timeline_is_placed_on_the_recorders_clock(line: Line) -> None:
    found = placed(line.info, line.bounds)
    told = pieces(found, line.info)
    assert [(p.at_s, p.until_s) for p in told] == [pytest.approx(one[:2]) for one in line.shown]
    if found.timeline is None or found.timeline.breaks or not line.info.breaks:
        assert [p.media_s for p in told] == [pytest.approx(one[2]) for one in line.shown]
    assert [p.rate for p in told] == [pytest.approx(line.rate)] * len(told)
    assert found.is_short == line.is_short
    assert all(words in found.reason for words in line.says), found.reason


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_disagreement_is_told_and_an_agreement_is_not(line: Line) -> None:
    found = placed(line.info, line.bounds)
    quiet = (
        found.timeline is None
        and not found.is_short
        and (line.bounds.named_s is None or abs(line.info.duration_s - line.bounds.named_s) <= EXACT_S)
    )
    cut = line.bounds.named_s is None and found.covers_s < line.info.duration_s
    doubtful = "nothing says which is right" in line.says
    assert bool(found.reason) == (not quiet or cut or doubtful)


def test_holes_alone_leave_the_streams_own_times() -> None:
    found = placed(jumping((60, 30), lasts_s=210.0), N240)
    assert found.timeline is not None
    assert found.timeline.breaks == ()
    assert [(p.at_s, p.media_s) for p in found.timeline.pieces] == [(0, 0), (90, 90)]


def test_pictures_without_times_in_a_file_whose_name_has_no_end_are_refused_with_a_remedy() -> None:
    found = reconcile(replace(STREAM, timed=False, stated_hz=None), FREE)
    assert isinstance(found, Unplaceable)
    assert "a name with start and end" in found.reason


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        (N240, False),
        (Bounds(named_s=225.0), True),
        (Bounds(named_s=255.0), True),
        (Bounds(named_s=245.0), False),
        (Bounds(named_s=255.0, is_final=False), False),
        (Bounds(next_s=3600.0), False),
        (Bounds(next_s=200.0), True),
        (FREE, False),
    ],
)
def test_a_file_is_read_whole_only_where_it_disagrees(bounds: Bounds, wanted: bool) -> None:
    assert disagrees(PLAIN, bounds) is wanted


lengths = st.floats(1.0, 90_000.0)
sizes = st.one_of(st.floats(-90_000.0, -2.5), st.floats(2.5, 90_000.0))


@st.composite
def media(draw: st.DrawFn) -> MediaInfo:
    lasts_s = draw(lengths)
    places = sorted(draw(st.lists(st.floats(0.01, 0.99), max_size=4, unique=True)))
    return MediaInfo(
        "h264",
        (640, 360),
        draw(st.floats(-10.0, 1e9)),
        lasts_s,
        truncated=(truncated := draw(st.booleans())),
        lead_s=draw(st.sampled_from((0.0, 0.6, 8.0, 500.0))),
        late_s=draw(st.sampled_from((0.0, 0.7, 12.0, 3600.0))),
        breaks=tuple(Break(place * lasts_s, draw(sizes)) for place in places),
        measured_hz=draw(st.sampled_from((None, 5.0, 12.5, 25.0))),
        stated_hz=draw(st.sampled_from((None, 12.5, 25.0))),
        timed=draw(st.booleans()) or bool(places),
        complete=not truncated and draw(st.booleans()),
    )


@st.composite
def named(draw: st.DrawFn) -> Bounds:
    return Bounds(
        named_s=draw(lengths),
        next_s=draw(st.one_of(st.none(), lengths)),
        next_long_s=draw(st.one_of(st.none(), lengths)),
        is_final=draw(st.booleans()),
    )


@given(info=media(), bounds=named())
def test_a_recording_never_covers_more_than_its_named_interval(info: MediaInfo, bounds: Bounds) -> None:
    found = placed(info, bounds)
    assert bounds.named_s is not None
    assert 0 < found.covers_s <= bounds.named_s + 1e-6
    told = pieces(found, info)
    assert all(piece.at_s >= 0 and piece.until_s <= bounds.named_s + 1e-6 for piece in told)
    assert sum(piece.until_s - piece.at_s for piece in told) <= bounds.named_s + 1e-6


@given(info=media(), bounds=st.one_of(named(), st.just(FREE), st.builds(Bounds, next_s=lengths)))
def test_mapped_times_rise(info: MediaInfo, bounds: Bounds) -> None:
    found = reconcile(info, bounds)
    assume(isinstance(found, Placed))
    assert isinstance(found, Placed)
    told = pieces(found, info)
    for before, after in pairwise(told):
        assert after.at_s >= before.until_s - 1e-6
        assert after.media_s >= before.media_s + before.length_s - 1e-6
    assert all(piece.media_s + piece.length_s <= info.duration_s + sum(max(0.0, b.jump_s) for b in info.breaks) + 1e-6 for piece in told)  # fmt: skip


@given(info=media(), bounds=named(), part=st.floats(0.0, 1.0))
def test_a_picture_is_found_again_at_the_time_that_it_shows(
    info: MediaInfo, bounds: Bounds, part: float
) -> None:
    timeline = placed(info, bounds).timeline
    assume(timeline is not None)
    assert timeline is not None
    for piece in timeline.pieces:
        offset_s = piece.at_s + part * (piece.until_s - piece.at_s)
        found = timeline.piece_at(offset_s)
        assert found is not None
        assert timeline.offset_of(found.media_at(offset_s)) == pytest.approx(offset_s, abs=1e-3)


@given(info=media(), bounds=named())
def test_a_timeline_is_the_same_after_it_was_stored(info: MediaInfo, bounds: Bounds) -> None:
    timeline = placed(info, bounds).timeline
    assume(timeline is not None)
    assert timeline is not None
    again = Timeline.of_json(timeline.to_json())
    assert again.key == timeline.key
    assert again.ends_s == pytest.approx(timeline.ends_s, abs=1e-3)
    assert MediaInfo.of_json(info.to_json()) == info


@given(info=media(), lasts_s=lengths, gap_s=st.floats(0.0, 100.0), other=media())
def test_two_recordings_whose_names_do_not_overlap_never_share_a_moment(
    info: MediaInfo, lasts_s: float, gap_s: float, other: MediaInfo
) -> None:
    next_s = lasts_s + gap_s
    before = placed(info, Bounds(lasts_s, next_s, other.duration_s))
    assert before.covers_s <= next_s + 1e-6


def test_pieces_that_overlap_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="follow each other"):
        Timeline(0.0, (Piece(0.0, 0.0, 10.0), Piece(9.0, 10.0, 5.0)))
    with pytest.raises(ValueError, match="above 0"):
        Piece(0.0, 0.0, 0.0)
