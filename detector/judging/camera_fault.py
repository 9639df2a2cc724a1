"""camera_fault 设备异常: stretches in which a view cannot be judged. Such a stretch is never 'clean'.

Each look is named by what is wrong with it, the worst first: 'no_picture', 'dark', 'unsteady' (cut or edited),
'blocked', 'moved', 'blurred', 'frozen'. Traffic is no fault: what the model found is left out of the comparison of
views, and one odd look is none either. A card that a recorder draws ('NO SIGNAL') is a fault from the first look on,
and nothing is ever compared with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from detector.core.geometry import FloatArray
from detector.core.times import Interval, union
from detector.core.values import (
    EDGES_WH,
    SIGNATURE_WH,
    Camera,
    Incident,
    Observation,
    Point,
    ViewFault,
    ViewState,
    Violation,
)
from detector.decoding.change import median_of
from detector.decoding.view import local_contrast, picture_distance, shows_card, structure_likeness

__all__ = ["SAME_VIEW", "WORDS", "ViewFault", "fault_incidents", "likeness_to", "view_faults"]

NOTHING = "no_picture"
WORDS = (NOTHING, "dark", "unsteady", "blocked", "moved", "blurred", "frozen")

STEADY_LIKENESS = 0.75
"""A picture of a fixed view resembles the view's middle picture at least so much, unless traffic fills it."""

STEADY_SHARE = 0.35
"""At least this part of a fixed view's pictures is not filled by traffic; of a montage none resembles the middle."""

DARK_BRIGHTNESS = 12.0
"""Below this mean grey level nothing can be told apart."""

FLAT_SHARPNESS = 0.5
FLAT_SPREAD = 2.0
"""A picture without any structure, such as a recorder writes when the camera gives no signal."""

SAME_VIEW = 0.3
"""`structure_likeness` from which a picture shows a view, by day and by night; turned by 2 % of the width it does not."""

VISIBLE_SHARE = 0.2
"""A view of which traffic leaves less to see is taken for the one before."""

USUAL_SHARE = 0.25
"""The usual view is the first that makes up so much of the looks; no repair or cleaning of a camera does."""

VIEW_LOOKS = 15
"""A view is what its last so many looks have in common: shadows wander and lamps come on."""

LOST_TEXTURE = 0.3
"""A cell has lost its structure when its gradient is less than this part of the usual one."""

BLOCKED_SHARE = 0.5
"""Something stands before the lens when so much of the structure is lost, and the rest agrees less than BLOCKED_LIKENESS."""

BLOCKED_LIKENESS = 0.6
COVERED_SHARE = 0.85
"""Or when nearly all of it is lost: what shines through a cover may still agree."""

LEAST_TEXTURE = 2.0
"""Gradients of the small picture, in grey levels, below which a cell has no structure to lose."""

RECENT_LOOKS = 5
BLURRED_PART = 0.47
"""A picture is blurred when its sharpness falls below this part of the camera's own, low as that may be at times."""

BLURRED_RATIO = 0.5
"""And so does its sharpness for its contrast, to this part: dusk and fog lower both, a lens out of focus only one."""

SHARP_FEWEST = 2
SHARP_LOOKS = 200
LOW_QUANTILE = 0.1

FROZEN_RMS = 0.4
"""Grey levels. Measured after H.264: the picture of a frozen camera repeats within 0.15 but where the encoder changes its
quantiser; a live one, at night and without a clock, differs by 0.95 and more, for the sensor's noise."""

FROZEN_EDGE_RMS = 0.8
"""The first and last look of a frozen stretch may differ so much from the next: the encoder settles."""

FROZEN_JOIN_RMS = 2.0
"""And so much where it repeats on both sides: in between the encoder took another quantiser."""

FROZEN_S = 90.0
FAULT_LOOKS = 3
FAULT_S = 60.0
"""A fault is seen in FAULT_LOOKS looks and over FAULT_S, or, where looks are rare, in two and over RARE_S."""

RARE_S = 300.0
WHOLE_SHARE = 0.9
"""What is wrong with so many of all looks is a fault, however few they are."""

WINDOW_LOOKS = 15
FEWEST_LOOKS = 4
BREAK_S = 900.0

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.intp]
Grey = npt.NDArray[np.uint8]


def view_faults(
    observations: Sequence[Observation],
    cadence_s: float,
    *,
    earlier: Sequence[Observation] = (),
    unseen: Sequence[Interval] = (),
) -> list[ViewFault]:
    """The stretches of one camera's observations, in order of time, in which the view cannot be judged.

    `earlier` are looks from before that could be judged: they say what the view is like. `unseen` is recorded time
    that gave no picture.
    """
    observations = [o for o in observations if not o.spared]
    earlier = [o for o in earlier if not o.spared]
    faults = list(_no_pictures(unseen, cadence_s))
    if observations:
        words = _words(observations, earlier)
        for word in WORDS:
            for first, last in _runs([w == word for w in words]):
                if _lasts(observations, first, last, words, word):
                    faults.append(_fault(observations, first, last, cadence_s, word))
    return sorted(faults, key=lambda fault: fault.interval.start)


def likeness_to(usual: Sequence[Observation], looks: Sequence[Observation]) -> list[float | None]:
    """How like a camera's usual view each look is, in [-1, 1]; from SAME_VIEW on it shows that view.

    None for a look of which that cannot be told: dark, without structure or hidden by traffic; and for all of them
    where the usual looks are fewer than FAULT_LOOKS.
    """
    views: list[_View] = []
    for o in usual:
        if o.view.edges.size and not o.spared and not _plain(o.view):
            _put_to(_worth(views), views, o)
    known = _usual(views)
    if known is None or known.looks < FAULT_LOOKS:
        return [None for _ in looks]
    return [
        None if _plain(o.view) or not o.view.edges.size else known.likeness(o.view.edges, _visible(o))
        for o in looks
    ]


def fault_incidents(faults: Sequence[ViewFault], point: Point, camera: Camera) -> Iterator[Incident]:
    for fault in faults:
        yield Incident(
            violation=Violation.CAMERA_FAULT,
            point_id=point.id,
            camera_id=camera.id,
            zone_id=None,
            interval=fault.interval,
            limit_s=0.0,
            box=None,
            share=0.0,
            confidence=1.0,
            fault=fault,
        )


def _no_pictures(unseen: Sequence[Interval], cadence_s: float) -> Iterator[ViewFault]:
    for stretch in union(unseen, join_gap_s=1.0):
        if stretch.duration_s >= max(FAULT_S, 2 * cadence_s):
            yield ViewFault(stretch, NOTHING, None, stretch)


def _fault(
    observations: Sequence[Observation], first: int, last: int, cadence_s: float, word: str
) -> ViewFault:
    start = observations[first].at
    end = observations[last].at + timedelta(seconds=cadence_s)
    if last + 1 < len(observations):
        end = min(end, observations[last + 1].at)
    before = observations[first - 1].at if first else start
    unsure = Interval(max(before, start - timedelta(seconds=BREAK_S)), end)
    return ViewFault(Interval(start, end), word, observations[last].at, unsure)


def _lasts(
    observations: Sequence[Observation], first: int, last: int, words: Sequence[str], word: str
) -> bool:
    """Whether a run is long enough: a bus that fills the picture for a look or two is no fault."""
    looks = last - first + 1
    seen_s = (observations[last].at - observations[first].at).total_seconds()
    if word == "unsteady" or looks >= max(1.0, WHOLE_SHARE * len(words)):
        return True
    if any(shows_card(o.view) for o in observations[first : last + 1]):
        return True
    return (looks >= FAULT_LOOKS and seen_s >= FAULT_S) or (looks >= 2 and seen_s >= RARE_S)


def _words(observations: Sequence[Observation], earlier: Sequence[Observation]) -> list[str]:
    """For each look what is wrong with it, or ''."""
    words = [_plain(o.view) for o in observations]
    earlier = [o for o in earlier if not _plain(o.view)]
    _put_unsteady(observations, words)
    views = _views(observations, words, earlier)
    _compare(observations, words, views, earlier)
    _put(words, "frozen", _frozen([o.view for o in observations], [o.at for o in observations]))
    return _closed(words)


def _put_unsteady(observations: Sequence[Observation], words: list[str]) -> None:
    """Pictures that show nothing belong to no view, and say nothing about those between them."""
    rest = [i for i, word in enumerate(words) if word != NOTHING]
    for index, flag in zip(rest, _unsteady([observations[i] for i in rest]), strict=True):
        if flag and not words[index]:
            words[index] = "unsteady"


def _plain(view: ViewState) -> str:
    """What a picture shows to be wrong by itself."""
    if shows_card(view):
        return NOTHING
    if view.sharpness < FLAT_SHARPNESS and float(view.signature.std()) < FLAT_SPREAD:
        return NOTHING
    return "dark" if view.brightness < DARK_BRIGHTNESS else ""


def _put(words: list[str], word: str, flags: Sequence[bool]) -> None:
    for index, flag in enumerate(flags):
        if flag and not words[index]:
            words[index] = word


def _closed(words: list[str]) -> list[str]:
    """A single look without fault inside a stretch of one fault belongs to it; between cards it is a picture again."""
    return [
        words[i - 1]
        if not word and 0 < i < len(words) - 1 and words[i - 1] == words[i + 1] != NOTHING
        else word
        for i, word in enumerate(words)
    ]


@dataclass(slots=True)
class _View:
    """One view of a camera that points now here, now there: how often each cell is an edge, and the looks that show it."""

    recent: deque[tuple[Mask, Mask]] = field(default_factory=deque)
    """The last VIEW_LOOKS: which visible cells are edges, and which are visible; counted in `found` and `seen`."""
    looks: int = 0
    seen: Counts = field(default_factory=lambda: np.zeros(EDGES_WH[::-1], np.intp))
    found: Counts = field(default_factory=lambda: np.zeros(EDGES_WH[::-1], np.intp))
    shares: FloatArray = field(default_factory=lambda: np.zeros(EDGES_WH[::-1], np.float32))
    known: Mask = field(default_factory=lambda: np.zeros(EDGES_WH[::-1], np.bool_))

    def add(self, edges: Mask, visible: Mask) -> None:
        self._count(edges & visible, visible)
        self.looks += 1
        self.shares = (self.found / np.maximum(self.seen, 1)).astype(np.float32)
        self.known = np.asarray(self.seen > 0)

    def _count(self, edges: Mask, visible: Mask) -> None:
        self.recent.append((edges, visible))
        self.found += edges
        self.seen += visible
        if len(self.recent) > VIEW_LOOKS:
            old_edges, old_visible = self.recent.popleft()
            self.found -= old_edges
            self.seen -= old_visible

    def likeness(self, edges: Mask, visible: Mask) -> float | None:
        """None where too little of both is to be seen."""
        both = visible & self.known
        return structure_likeness(self.shares, edges, both) if both.mean() >= VISIBLE_SHARE else None


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which view each look shows, None where that cannot be told; how like the usual one it is; and the usual one."""

    views: tuple[_View | None, ...]
    likeness: tuple[float | None, ...]
    usual: _View | None


def _views(
    observations: Sequence[Observation], words: Sequence[str], earlier: Sequence[Observation]
) -> _Shown:
    """Put each look to the view that it resembles most, or to a new one."""
    views: list[_View] = []
    for o in earlier:
        if o.view.edges.size:
            _put_to(views[:1] or views, views, o, force=bool(views))
    known = views[0] if views else None
    shown: list[_View | None] = []
    for o, word in zip(observations, words, strict=True):
        nothing = word or not o.view.edges.size
        shown.append(None if nothing else _put_to(_worth(views), views, o))
    usual = known or _usual(views)
    alike = tuple(
        usual.likeness(o.view.edges, _visible(o)) if usual and o.view.edges.size else None
        for o in observations
    )
    return _Shown(tuple(shown), alike, usual)


def _put_to(
    candidates: Sequence[_View], views: list[_View], o: Observation, *, force: bool = False
) -> _View | None:
    visible = _visible(o)
    rated = [
        (score, view) for view in candidates if (score := view.likeness(o.view.edges, visible)) is not None
    ]
    if not rated and (candidates or visible.mean() < VISIBLE_SHARE):
        return None
    score, view = max(rated, key=lambda pair: pair[0], default=(-1.0, None))
    if view is None or (score < SAME_VIEW and not force):
        view = _View()
        views.append(view)
    view.add(o.view.edges, visible)
    return view


def _worth(views: list[_View]) -> list[_View]:
    """The views to compare with: those seen some times, and the newest."""
    return [view for i, view in enumerate(views) if view.looks >= FAULT_LOOKS or i >= len(views) - 3]


def _usual(views: Sequence[_View]) -> _View | None:
    looks = sum(view.looks for view in views)
    first = (view for view in views if view.looks >= max(FAULT_LOOKS, USUAL_SHARE * looks))
    return next(first, max(views, key=lambda view: view.looks, default=None))


def _visible(o: Observation) -> Mask:
    """The cells that nothing found by the model covers."""
    width, height = EDGES_WH
    visible = np.ones((height, width), np.bool_)
    for x1, y1, x2, y2 in o.detections.clear.boxes.astype(float):
        visible[
            max(0, int(y1 * height) - 1) : int(y2 * height) + 2,
            max(0, int(x1 * width) - 1) : int(x2 * width) + 2,
        ] = False
    return visible


@dataclass(slots=True)
class _Usual:
    """What the last looks without a fault were like."""

    pictures: deque[Grey] = field(default_factory=lambda: deque(maxlen=RECENT_LOOKS))
    sharpness: deque[float] = field(default_factory=lambda: deque(maxlen=SHARP_LOOKS))
    ratio: deque[float] = field(default_factory=lambda: deque(maxlen=SHARP_LOOKS))

    def add(self, view: ViewState) -> None:
        self.pictures.append(view.signature)
        self.sharpness.append(view.sharpness)
        self.ratio.append(_ratio(view))

    def blurred(self, view: ViewState) -> bool:
        if len(self.sharpness) < SHARP_FEWEST:
            return False
        if view.sharpness >= BLURRED_PART * max(self.sharpness):
            return False  # the quantile is not above the largest, and takes a hundred times as long
        sharp, ratio = (float(np.quantile(values, LOW_QUANTILE)) for values in (self.sharpness, self.ratio))
        return view.sharpness < BLURRED_PART * sharp and _ratio(view) < BLURRED_RATIO * ratio

    def lost(self, o: Observation) -> float:
        """Which part of the usual structure is gone, of what nothing covers."""
        if not self.pictures:
            return 0.0
        usual = _texture(_middle(self.pictures))
        rows, columns = SIGNATURE_WH[::-1]
        visible = _visible(o).reshape(rows, 2, columns, 2).all(axis=(1, 3))
        had = (usual > max(LEAST_TEXTURE, float(np.median(usual)))) & visible
        if had.sum() < VISIBLE_SHARE * had.size / 2:
            return 0.0
        now = _texture(o.view.signature.astype(np.float32))
        return float((now[had] < LOST_TEXTURE * usual[had]).mean())


def _ratio(view: ViewState) -> float:
    return view.sharpness / (float(view.signature.std()) + 3.0)


def _middle(pictures: Sequence[Grey]) -> FloatArray:
    """The median, grey value by grey value."""
    if len(pictures) % 2:
        return median_of(pictures).astype(np.float32)
    return np.asarray(np.median(np.stack(pictures).astype(np.float32), axis=0))


def _texture(picture: FloatArray) -> FloatArray:
    """How steep each cell is."""
    return np.asarray(np.hypot(_slope(picture), _slope(picture.T).T))


def _slope(picture: FloatArray) -> FloatArray:
    """From row to row, as `np.gradient` takes it, at a third of the time."""
    slope = np.empty_like(picture)
    slope[1:-1] = (picture[2:] - picture[:-2]) / 2
    slope[0], slope[-1] = picture[1] - picture[0], picture[-1] - picture[-2]
    return slope


def _compare(
    observations: Sequence[Observation], words: list[str], shown: _Shown, earlier: Sequence[Observation]
) -> None:
    """Name the looks that are blocked, moved or blurred, against what the looks before them were like."""
    usual = _Usual()
    for o in earlier:
        usual.add(o.view)
    for index, o in enumerate(observations):
        if words[index]:
            continue
        view, alike = shown.views[index], shown.likeness[index]
        if alike is not None and usual.lost(o) >= (
            BLOCKED_SHARE if alike < BLOCKED_LIKENESS else COVERED_SHARE
        ):
            words[index] = "blocked"
        elif view is not None and _is_another(view, shown.usual):
            words[index] = "moved"
        elif usual.blurred(o.view):
            words[index] = "blurred"
        else:
            usual.add(o.view)


def _is_another(view: _View, usual: _View | None) -> bool:
    """Whether a view that was seen some times is not the usual one."""
    if usual is None or view is usual or view.looks < FAULT_LOOKS:
        return False
    both = view.known & usual.known
    if both.mean() < VISIBLE_SHARE:
        return False
    return structure_likeness(usual.shares, view.shares >= 0.5, both) < SAME_VIEW


def _frozen(views: Sequence[ViewState], times: Sequence[datetime]) -> list[bool]:
    """Looks whose pictures are equal but for what an encoder adds, over FAULT_LOOKS looks and FROZEN_S or more."""
    apart = [picture_distance(a, b) for a, b in pairwise(views)]
    same = [distance <= FROZEN_RMS for distance in apart]
    joined = [
        same[i] or (0 < i < len(apart) - 1 and same[i - 1] and same[i + 1] and distance <= FROZEN_JOIN_RMS)
        for i, distance in enumerate(apart)
    ]
    flags = [False] * len(views)
    for first, last in _runs(joined):
        begin, end = first, last + 1
        if begin and apart[begin - 1] <= FROZEN_EDGE_RMS:
            begin -= 1
        if end < len(apart) and apart[end] <= FROZEN_EDGE_RMS:
            end += 1
        if end - begin + 1 >= FAULT_LOOKS and (times[end] - times[begin]).total_seconds() >= FROZEN_S:
            flags[begin : end + 1] = [True] * (end - begin + 1)
    return flags


def _unsteady(observations: Sequence[Observation]) -> list[bool]:
    """For each look, whether the pictures around it belong to no one view.

    The middle picture of a window is its median, grey value by grey value: what moves drops out of it, and of a
    fixed view the still structure remains, which each picture of the window then resembles, in its grey values or,
    where the shadows of clouds pass, in its local contrast.
    """
    bad: list[bool] = []
    for run in _unbroken(observations):
        flags = [False] * len(run)
        pictures = np.stack([o.view.signature for o in run]).astype(np.float32)
        local = np.stack([local_contrast(picture) for picture in pictures])
        for start in range(0, len(run), WINDOW_LOOKS):
            begin = max(0, min(start, len(run) - WINDOW_LOOKS))
            window = slice(begin, begin + WINDOW_LOOKS)
            alike = _resemble_middle(pictures[window]) | _resemble_middle(local[window])
            if len(alike) >= FEWEST_LOOKS and alike.mean() < STEADY_SHARE:
                flags[window] = [True] * len(alike)
        bad += flags
    return bad


def _resemble_middle(pictures: FloatArray) -> Mask:
    """Which pictures, shape (n, h, w), resemble their median, shape (n,)."""
    middle = np.median(pictures, axis=0)
    return np.array([_likeness(picture, middle) >= STEADY_LIKENESS for picture in pictures])


def _unbroken(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
    """The observations in runs without a longer break: light and view may change over a break."""
    run: list[Observation] = []
    for observation in observations:
        if run and (observation.at - run[-1].at).total_seconds() > BREAK_S:
            yield run
            run = []
        run.append(observation)
    if run:
        yield run


def _likeness(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / size) if size > 0 else 1.0


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The first and last index of each unbroken run of true flags."""
    first: int | None = None
    for index, flag in enumerate([*flags, False]):
        if flag and first is None:
            first = index
        elif not flag and first is not None:
            yield first, index - 1
            first = None
