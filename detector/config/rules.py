"""The rules in force: which violation, where, at what hours, from which duration on. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from detector.config.reading import nearest
from detector.core.errors import BadInput
from detector.core.times import DailyHours, Interval, local_day
from detector.core.values import Category, LabelGroup, Violation, Zone, ZoneKind

ALL_DAY = (DailyHours(0, 1440),)
NOT_IN_FORCE = "no rule in force"


@dataclass(frozen=True, slots=True)
class CategorySettings:
    """What one category of points does otherwise; None leaves the rule's own."""

    enabled: bool | None = None
    dwell_s: float | None = None
    hours: tuple[DailyHours, ...] | None = None


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """One violation's rule. `dwell_s` is the limit in seconds: what stands longer is a violation."""

    violation: Violation
    enabled: bool
    dwell_s: float
    zones: tuple[ZoneKind, ...]
    hours: tuple[DailyHours, ...] = ALL_DAY
    min_share: float = 0.5
    """The part of an object's ground contact that must lie inside the zone, in (0, 1]."""
    min_confidence: float = 0.25
    exempt_zones: tuple[ZoneKind, ...] = ()
    """Kinds of zones inside which the rule does not hold, wherever they overlap its own."""
    by_category: Mapping[Category, CategorySettings] = field(default_factory=dict)
    min_count: int = 1
    """So many together make a violation; of use to disorderly_bikes."""
    jam_limit_s: float = 1800.0
    """Who stands in a queue or a jam is suspected only from so long on; of use to the rules of parking."""
    jam_others: int = 3
    """So many other vehicles must stand to make a queue or a jam."""
    things: tuple[LabelGroup, ...] = ()
    """What a person must stay beside to be a vendor; of use to street_vending."""

    def at(self, category: Category) -> RuleSettings:
        """The rule as it holds at points of one category."""
        if not self.by_category:
            return self
        own = self.by_category.get(category, CategorySettings())
        return replace(
            self,
            enabled=self.enabled if own.enabled is None else own.enabled,
            dwell_s=self.dwell_s if own.dwell_s is None else own.dwell_s,
            hours=self.hours if own.hours is None else own.hours,
            by_category={},
        )


@dataclass(frozen=True, slots=True)
class InForce:
    """A rule as it holds in one zone of one camera: its limit, and at which hours."""

    limit_s: float
    hours: tuple[DailyHours, ...]
    permitted: tuple[DailyHours, ...]

    def may_change(self, first: datetime, last: datetime) -> bool:
        """Whether an hour may begin or end between two local moments. False is sure, and saves asking of each moment."""
        if not self.permitted and ALL_DAY[0] in self.hours:
            return False
        if first.date() != last.date() or first.utcoffset() != last.utcoffset():
            return True
        start, end = (local.hour * 60 + local.minute for local in (first, last))
        cuts = (cut for h in (*self.hours, *self.permitted) for cut in (h.from_min, h.until_min))
        return any(start < cut <= end for cut in cuts)

    def limit_at(self, local: datetime) -> float | None:
        """The limit in seconds at a moment of the point's local time, or None where the rule does not hold then."""
        holds = _holds(self.hours, local) and not _holds(self.permitted, local)
        return self.limit_s if holds else None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of a county, by violation. A violation without a rule is not looked for."""

    rules: Mapping[Violation, RuleSettings]

    @property
    def version(self) -> str:
        """12 hex digits that change with the content, and with nothing else."""
        content = {violation: asdict(rule) for violation, rule in self.rules.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def at(self, category: Category) -> RuleSet:
        """The rules as they hold at points of one category."""
        return RuleSet({violation: rule.at(category) for violation, rule in self.rules.items()})

    def limit_s(self, violation: Violation, category: Category, zone: Zone, local: datetime) -> float | None:
        """The limit in seconds at a moment of the point's local time, or None where the rule does not hold.

        It does not hold where it is missing or disabled, looks at other kinds of zones, is outside its
        hours, or inside the zone's permitted hours. The zone's own limit goes first, then the
        category's, then the rule's.
        """
        in_force = self.in_force(violation, category, zone)
        return in_force.limit_at(local) if in_force else None

    def in_force(self, violation: Violation, category: Category, zone: Zone) -> InForce | None:
        """The rule as it holds in a zone, whose hours are still to be asked; None where it holds at no hour."""
        rule = self.rules.get(violation)
        if rule is None or zone.kind not in rule.zones:
            return None
        rule = rule.at(category)
        if not rule.enabled:
            return None
        return InForce(zone.limits_s.get(violation, rule.dwell_s), rule.hours, zone.permitted)

    def shortest_limits(
        self, category: Category, zones: Sequence[Zone], day: date, tz: tzinfo
    ) -> list[tuple[Interval, float | None, str]]:
        """The local day cut where the shortest limit in force changes: when (UTC), limit in s, who asks for it.

        The stretches follow each other and cover the day exactly, also where clocks change. The text is
        such as 'illegal_parking in zone kerb', or NOT_IN_FORCE beside None.
        """
        stretches: list[tuple[Interval, float | None, str]] = []
        for start, end in pairwise(_cuts(self._clock_changes(zones), day, tz)):
            limit_s, why = self._shortest(category, zones, start.astimezone(tz))
            if stretches and stretches[-1][1:] == (limit_s, why):
                start = stretches.pop()[0].start  # noqa: PLW2901  # the stretch before goes on
            stretches.append((Interval(start, end), limit_s, why))
        return stretches

    def _shortest(
        self, category: Category, zones: Sequence[Zone], local: datetime
    ) -> tuple[float | None, str]:
        asked = [
            (limit_s, f"{violation} in zone {zone.id}")
            for violation in self.rules
            for zone in zones
            if (limit_s := self.limit_s(violation, category, zone, local)) is not None
        ]
        return min(asked, default=(None, NOT_IN_FORCE))

    def _clock_changes(self, zones: Sequence[Zone]) -> set[int]:
        """Minutes of the day at which any hours begin or end."""
        hours = [h for zone in zones for h in zone.permitted]
        for rule in self.rules.values():
            hours += rule.hours
            hours += [h for own in rule.by_category.values() for h in own.hours or ()]
        return {minute for h in hours for minute in (h.from_min, h.until_min)}


def rules_with_limits(rules: RuleSet, limits: Mapping[str, Mapping[str, float]]) -> RuleSet:
    """The rules for a trial: only the violations named are looked for, with these limits, everywhere and always.

    `limits` is such as {"illegal_parking": {"dwell_s": 30}}. The rule for camera faults stays as it is; a
    known violation without a rule is left out. Raises BadInput for one that is not known.
    """
    for name in limits:
        if name not in set(Violation):
            hint = nearest(name, Violation)
            raise BadInput(f"unknown violation {name!r}" + (f"; did you mean '{hint}'?" if hint else ""))

    def on_trial(rule: RuleSettings) -> RuleSettings:
        if rule.violation is Violation.CAMERA_FAULT:
            return rule
        named = limits.get(rule.violation)
        dwell_s = rule.dwell_s if named is None else named.get("dwell_s", rule.dwell_s)
        return replace(rule, enabled=named is not None, dwell_s=dwell_s, hours=ALL_DAY, by_category={})

    return RuleSet({violation: on_trial(rule) for violation, rule in rules.rules.items()})


def _holds(hours: Sequence[DailyHours], local: datetime) -> bool:
    return any(stretch.holds_at(local) for stretch in hours)


def _cuts(minutes: set[int], day: date, tz: tzinfo) -> list[datetime]:
    """The instants (UTC, in order) of a local day at which its clock shows one of `minutes` or is changed, and both ends."""
    whole = local_day(day, tz)
    start, end = whole.start.astimezone(UTC), whole.end.astimezone(UTC)
    changes = list(_offset_changes(start, end, tz))
    cuts = {start, end, *changes}
    for offset in {_offset(moment, tz) for moment in (start, *changes)}:
        midnight = datetime.combine(day, time(), UTC) - offset
        cuts |= {midnight + timedelta(minutes=minute) for minute in minutes}
    return sorted(cut for cut in cuts if start <= cut <= end)


def _offset_changes(start: datetime, end: datetime, tz: tzinfo) -> Iterator[datetime]:
    """The instants within [start, end) at which the offset from UTC becomes another one, to the second."""
    hours = [start + timedelta(hours=h) for h in range(int((end - start) / timedelta(hours=1)) + 1)]
    for before, after in pairwise([*hours, end]):
        if _offset(before, tz) == _offset(after, tz):
            continue
        old, new = before, after
        while new - old > timedelta(seconds=1):
            middle = (old + (new - old) / 2).replace(microsecond=0)
            if _offset(middle, tz) == _offset(before, tz):
                old = middle
            else:
                new = middle
        yield new


def _offset(moment: datetime, tz: tzinfo) -> timedelta:
    offset = moment.astimezone(tz).utcoffset()
    if offset is None:
        raise ValueError(f"{tz} has no offset from UTC")
    return offset
