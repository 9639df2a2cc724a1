"""The scores as a page for a browser, Chinese and English: a folder of its own, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Final

from detector.config.violations import RULES
from detector.core.geometry import Box, Polygon
from detector.core.values import Violation, ZoneKind
from detector.evaluation.apart import apart, rows_of
from detector.evaluation.compare import Difference
from detector.evaluation.evaluate import ClipScore, Evaluation, Pictured
from detector.evaluation.pictures import boxes_of
from detector.evaluation.scores import Tally, spread
from detector.evaluation.work import Trials

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {"miss": "漏报 Missed", "false": "误报 False alarm", "duplicate": "重复 Duplicate", "match": "命中 Found"}
)

ZONE_SHADES: Final[Mapping[ZoneKind, str]] = MappingProxyType(
    {
        ZoneKind.NO_PARKING: "#ffd800",
        ZoneKind.SIDEWALK: "#5ad8ff",
        ZoneKind.PARKING_BAY: "#46d25a",
        ZoneKind.NO_VENDING: "#ff96d7",
        ZoneKind.SANITATION: "#28d7d7",
        ZoneKind.CARRIAGEWAY: "#bebebe",
        ZoneKind.BIN: "#ffa03c",
        ZoneKind.TACTILE_PATH: "#e6e678",
    }
)

STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --bad: #d03030; --good: #1c8a4a }
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2rem auto; max-width: 76rem;
  padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem } small, .soft { opacity: .7 }
table { border-collapse: collapse; width: 100% } th { text-align: right; font-weight: 600; vertical-align: bottom }
td { text-align: right; font-variant-numeric: tabular-nums } th:first-child, td:first-child, .text { text-align: left }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line) } .wide { overflow-x: auto }
th small { display: block; font-weight: 400; white-space: nowrap }
.wide + .wide { margin-top: .8rem } tr.sum td { font-weight: 600 }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0 }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; min-width: 9rem }
.card b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }
.bad { color: var(--bad) } .good { color: var(--good) }
.case { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; margin: .8rem 0 }
.case p { margin: 0 0 .5rem } .shots { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem }
figure { margin: 0 } .still { position: relative; line-height: 0 } .still img { width: 100% }
.still svg { position: absolute; inset: 0; width: 100%; height: 100% } figcaption { font-size: .85rem; line-height: 1.4 }
details > summary { cursor: pointer; padding: .4rem 0 } .key { display: inline-block; width: 1.4rem; height: .7rem;
  border: 3px solid; vertical-align: middle; margin: 0 .25rem 0 .8rem }
@media (max-width: 45rem) { .shots { grid-template-columns: 1fr } }
"""

LABELLED, FOUND = "#28e070", "#ff4040"


def write_report(
    folder: Path, trials: Trials, about: Mapping[str, str], differences: Sequence[Difference] = ()
) -> Path:
    """Write `index.html` into a folder that holds the stills already; `about` says what was tried. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    page.write_text("".join(_page(trials, about, differences)), encoding="utf-8")
    return page


def _page(trials: Trials, about: Mapping[str, str], differences: Sequence[Difference]) -> Iterator[str]:
    evaluation = trials.evaluation
    yield "<!doctype html><html lang='zh'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
    yield f"<title>kerbwatch 评测 evaluation</title><style>{STYLE}</style>"
    yield "<h1>kerbwatch 评测报告 Evaluation</h1><p class='soft'>"
    yield " · ".join(f"{escape(name)}: {escape(value)}" for name, value in about.items()) + "</p>"
    yield from _cards(evaluation)
    yield from _footages(evaluation)
    yield "<h2>按违规类型 By violation</h2>"
    yield _tallies("违规类型 Violation", _violation_rows(evaluation))
    yield from _section("按昼夜 By day and night", _tallies("光照 Light", _light_rows(evaluation)))
    if trials.by_factor:
        rows = [
            (f"x {f:g} ({e.every_s:.0f} s)", e.overall, e.camera_hours) for f, e in trials.by_factor.items()
        ]
        as_it_is = (f"x 1 ({evaluation.every_s:.0f} s)", evaluation.overall, evaluation.camera_hours)
        table = _tallies(
            "采样间隔 Cadence", sorted([*rows, as_it_is], key=lambda row: float(row[0].split()[1]))
        )
        yield from _section("按采样间隔 By sampling cadence", table)
    if trials.other is not None:
        yield from _comparison(evaluation, trials.other, differences)
    yield from _section("设备异常与画面 Camera faults and views", _faults(evaluation))
    yield "<p><span class='key' style='border-color:#28e070;border-style:dashed'></span>标注 labelled"
    yield "<span class='key' style='border-color:#ff4040'></span>检出 found</p>"
    for kind in ("miss", "false", "duplicate"):
        cases = list(_cases(evaluation, kind))
        yield f"<h2>{KINDS[kind]} ({len(cases)})</h2>" + ("".join(cases) or "<p class='soft'>无 None</p>")
    cases = list(_cases(evaluation, "match"))
    yield f"<h2>{KINDS['match']} ({len(cases)})</h2><details><summary>展开 Show</summary>{''.join(cases)}</details>"
    yield from _section("录像 Clips", _clips(evaluation))


FOOTAGE: Final[Mapping[str, str]] = MappingProxyType(
    {"real": "真实录像 Real footage", "composed": "合成录像 Composed footage"}
)

APART_COLUMNS: Final = (
    "真实 Events", "命中 Found", "漏报 Missed", "误报 False", "重复 Duplicates", "准确率 Precision", "召回率 Recall", "F1",
    "误报/路·天 False per camera-day", "原始分辨率可见的召回率 Recall of what a native crop sees",
)  # fmt: skip

APART_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **FOOTAGE, "day": "白天 Day", "night": "夜间 Night", "rain": "雨天 Rain", "no box": "无框 No box",
        "below 720p": "低于720p Below 720p",
    }
)  # fmt: skip


def _footages(evaluation: Evaluation) -> Iterator[str]:
    """Real footage first; each by width of the object in source pixels, by light and by kind of camera."""
    for footage in apart(evaluation):
        rows = [(escape(APART_NAMES.get(name, name)), *cells) for name, *cells in rows_of(footage)]
        table = _table(("目标宽度、光照、摄像机 Width, light, camera", *APART_COLUMNS), rows)
        yield from _section(FOOTAGE[footage.name], table)


def _section(title: str, content: str) -> Iterator[str]:
    yield f"<h2>{title}</h2>{content}"


def _cards(evaluation: Evaluation) -> Iterator[str]:
    tally, hours = evaluation.overall, evaluation.camera_hours
    per_day = f"{tally.false_alarms / hours * 24:.2f}" if hours else "-"
    views = sum(score.view_right for score in evaluation.clips)
    yield "<div class='cards'>"
    for value, name in (
        (f"{tally.f1:.3f}", "F1"),
        (f"{tally.precision:.3f}", "准确率 Precision"),
        (f"{tally.recall:.3f}", "召回率 Recall"),
        (per_day, "误报/路·天<br>False alarms per camera-day"),
        (str(tally.duplicates), "重复 Duplicates"),
        (f"{hours:.2f}", "录像时长 Camera-hours"),
        (f"{views}/{len(evaluation.clips)}", "画面判定正确 Views right"),
    ):
        yield f"<div class='card'><b>{value}</b>{name}</div>"
    yield "</div>"


Row = tuple[str, Tally, float]
"""A name, its counts, and over how many camera-hours."""


def _violation_rows(evaluation: Evaluation) -> list[Row]:
    rows = [
        (f"{RULES[v].name} {v}", t, evaluation.hours_watched(v)) for v, t in evaluation.by_violation.items()
    ]
    return [*rows, ("合计 All", evaluation.overall, evaluation.camera_hours)]


def _light_rows(evaluation: Evaluation) -> list[Row]:
    names = {"day": "白天 Day", "night": "夜间 Night", "rain": "雨天 Rain"}
    return [(names[light], part.overall, part.camera_hours) for light, part in evaluation.by_light().items()]


COUNTS: Final = (
    "真实 Events", "检出 Incidents", "命中 Matched", "漏报 Missed", "误报 False", "重复 Duplicates", "准确率 Precision",
    "召回率 Recall", "F1", "误报/路·天 False per camera-day",
)  # fmt: skip
ERRORS: Final = tuple(
    f"{name}<small>秒 s: 中位 median / 最大 max / 均方根 RMSE</small>"
    for name in ("开始误差 Start error", "结束误差 End error", "时长误差 Dwell error")
)


def _tallies(first: str, rows: Sequence[Row]) -> str:
    counts = []
    for name, t, hours in rows:
        per_day = f"{t.false_alarms / hours * 24:.2f}" if hours else "-"
        cells = (
            t.events, t.incidents, t.matched, _worrying(t.missed), _worrying(t.false_alarms), _worrying(t.duplicates),
            f"{t.precision:.3f}", f"{t.recall:.3f}", f"{t.f1:.3f}", per_day,
        )  # fmt: skip
        counts.append([escape(name), *map(str, cells)])
    errors = [
        (
            escape(name),
            spread_text(t.start_errors_s),
            spread_text(t.end_errors_s),
            spread_text(t.dwell_errors_s),
        )
        for name, t, _ in rows
        if t.matched
    ]
    return _table((first, *COUNTS), counts) + (_table((first, *ERRORS), errors) if errors else "")


def _worrying(count: int) -> str:
    return f"<span class='bad'>{count}</span>" if count else "0"


def spread_text(errors_s: Sequence[float]) -> str:
    """'0.8/2.0/1.1': median, largest, root mean square."""
    figures = spread(errors_s)
    return "/".join(f"{figures[name]:.1f}" for name in ("median", "max", "rmse")) if figures else "-"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _faults(evaluation: Evaluation) -> str:
    t = evaluation.camera_faults
    row = (
        str(t.events), str(t.matched), _worrying(t.missed), _worrying(t.false_alarms), str(t.duplicates),
        spread_text(t.start_errors_s), spread_text(t.end_errors_s), f"{evaluation.faults_named_right}/{t.matched}",
    )  # fmt: skip
    columns = (
        "标注 Labelled", "命中 Matched", "漏报 Missed", "误报 False", "重复 Duplicates", "开始误差 Start error s",
        "结束误差 End error s", "类型正确 Named right",
    )  # fmt: skip
    wrong = [score for score in evaluation.clips if not score.view_right]
    views = "".join(
        f"<li class='bad'>{escape(s.source)} {escape(s.name)}: {escape(s.view)}, 标注 labelled {escape(s.clip.view)}</li>"
        for s in wrong
    )
    return _table(columns, [row]) + (
        f"<ul>{views}</ul>" if views else "<p>画面判定全部正确 Every view is right</p>"
    )


def _comparison(
    evaluation: Evaluation, other: Evaluation, differences: Sequence[Difference]
) -> Iterator[str]:
    yield "<h2>两套规则 Two rule sets</h2>"
    yield _tallies("现行规则 These rules", _violation_rows(evaluation))
    yield _tallies("对比规则 Other rules", _violation_rows(other))
    rows = [
        (
            "仅对比规则 only the other" if d.appeared else "仅现行规则 only these", escape(d.clip), d.violation, d.zone or "-",
            f"{d.from_s:.0f}-{d.until_s:.0f} s", "正确 true" if d.true else "<span class='bad'>错误 false</span>",
        )
        for d in differences
    ]  # fmt: skip
    if rows:
        yield _table(
            ("差异 What differs", "录像 Clip", "违规 Violation", "区域 Zone", "时段 Time", "标注 Label"), rows
        )
    else:
        yield "<p class='soft'>无差异 Nothing differs</p>"


def _clips(evaluation: Evaluation) -> str:
    rows = [
        (
            f"{escape(s.source)}<br><small>{escape(s.name)}</small>",
            s.light,
            f"{s.duration_s:.0f}",
            str(s.looks),
            f"{s.view}{'' if s.view_right else f' <span class=bad>≠ {escape(s.clip.view)}</span>'}",
            str(len(s.clip.events)),
            str(len(s.matching.pairs)),
            _worrying(len(s.matching.false(len(s.findings)))),
            str(len(s.dropped)),
        )
        for s in evaluation.clips
    ]
    columns = (
        "录像 Clip", "光照 Light", "秒 Seconds", "采样 Looks", "画面 View", "真实 Events", "命中 Matched", "误报 False",
        "复核排除 Dropped",
    )  # fmt: skip
    return _table(columns, rows)


def _cases(evaluation: Evaluation, kind: str) -> Iterator[str]:
    for score in evaluation.clips:
        for picture in score.pictures:
            if picture.kind == kind:
                yield _case(score, picture)


def _case(score: ClipScore, picture: Pictured) -> str:
    words = [
        f"<b>{escape(_title(score, picture))}</b>",
        f"{escape(score.source)} · {escape(score.name)} · {score.light}",
    ]
    if picture.event is not None:
        true = (score.clip.faults if picture.of_fault else score.clip.events)[picture.event]
        words.append(f"标注 labelled {true.from_s:.1f}-{true.until_s:.1f} s {escape(true.what)}")
    if picture.finding is not None:
        found = (score.faults if picture.of_fault else score.findings)[picture.finding]
        words.append(
            f"检出 found {found.from_s:.1f}-{found.until_s:.1f} s {escape(found.explanation_zh)} {escape(found.explanation)} {escape(found.what)}"
        )
    if picture.kind == "miss" and not picture.of_fault:
        violation = score.clip.events[picture.event or 0].violation
        reasons = sorted({drop.reason for drop in score.dropped if drop.violation == violation})
        words += [f"复核排除 dropped: {escape(reason)}" for reason in reasons]
    shots = "".join(
        f"<figure><div class='still'><img src='{escape(shot.file)}' alt='' loading='lazy'>{_overlay(score, picture)}</div>"
        f"<figcaption>{shot.at_s:.1f} s</figcaption></figure>"
        for shot in picture.shots
    )
    return f"<div class='case'><p>{'<br>'.join(words)}</p><div class='shots'>{shots}</div></div>"


def _title(score: ClipScore, picture: Pictured) -> str:
    if picture.of_fault:
        return RULES[Violation.CAMERA_FAULT].name + " camera_fault"
    if picture.event is not None:
        event = score.clip.events[picture.event]
        return f"{RULES[event.violation].name} {event.violation} · {event.zone_id}"
    finding = score.findings[picture.finding or 0]
    return f"{RULES[finding.violation].name} {finding.violation} · {finding.zone_id}"


def _overlay(score: ClipScore, picture: Pictured) -> str:
    """Zone and boxes over a still, as lines that scale with it."""
    width, height = score.clip.resolution_wh
    labelled, found = boxes_of(score, picture)
    concerned: set[str | None] = set()
    if not picture.of_fault:
        concerned |= {score.clip.events[picture.event].zone_id} if picture.event is not None else set()
        concerned |= {score.findings[picture.finding].zone_id} if picture.finding is not None else set()
    shapes = [
        f"<polygon points='{_points(zone.polygon, width, height)}' fill='{ZONE_SHADES[zone.kind]}' fill-opacity='.12' "
        f"stroke='{ZONE_SHADES[zone.kind]}' {LINE}/>"
        for zone in score.clip.zones
        if zone.id in concerned
    ]
    shapes += [_rectangle(found, width, height, FOUND)] if found else []
    shapes += [_rectangle(labelled, width, height, LABELLED, "stroke-dasharray='6 4'")] if labelled else []
    return f"<svg viewBox='0 0 {width} {height}' preserveAspectRatio='none'>{''.join(shapes)}</svg>"


LINE = "stroke-width='2' vector-effect='non-scaling-stroke'"


def _points(polygon: Polygon, width: int, height: int) -> str:
    return " ".join(f"{x * width:.0f},{y * height:.0f}" for x, y in polygon)


def _rectangle(box: Box, width: int, height: int, shade: str, dashes: str = "") -> str:
    x1, y1, x2, y2 = box
    return (
        f"<rect x='{x1 * width:.0f}' y='{y1 * height:.0f}' width='{(x2 - x1) * width:.0f}' "
        f"height='{(y2 - y1) * height:.0f}' fill='none' stroke='{shade}' {dashes} {LINE}/>"
    )
