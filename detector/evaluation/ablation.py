"""Mechanisms by name, to be switched off one at a time: what falls then is what the mechanism is good for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType
from typing import Final

from detector.config.rules import RuleSet, RuleSettings
from detector.core.errors import BadInput
from detector.core.values import Violation
from detector.evaluation.evaluate import Apart
from detector.observing.native import Native
from detector.observing.standing import Switches


@dataclass(frozen=True, slots=True)
class Switch:
    """One constant of a module, and the value that switches its mechanism off."""

    module: str
    name: str
    off: object


@dataclass(frozen=True, slots=True)
class Ablation:
    """A mechanism: what it is for, and how it is switched off."""

    what: str
    switches: tuple[Switch, ...] = ()
    rule: Callable[[RuleSettings], RuleSettings] = lambda rule: rule
    apart: Apart = Apart.NOT


ABLATIONS: Final[Mapping[str, Ablation]] = MappingProxyType(
    {
        "appearance": Ablation(
            "one object all along: the pictures of a stay are compared, not only its boxes",
            (
                Switch("detector.proving.prove", "ALIKE", -1.0),
                Switch("detector.proving.swap", "APART", float("inf")),
            ),
        ),
        "occlusion": Ablation(
            "a stay outlives being hidden by passers-by or a bus",
            (
                Switch("detector.judging.stays", "HIDDEN_S", 0.0),
                Switch("detector.judging.stays", "LOOKS_MISSED", 0),
                Switch("detector.proving.prove", "HIDDEN_S", 0.0),
                Switch("detector.proving.prove", "HIDING_SHARE", 9.0),
            ),
        ),
        "ground-contact": Ablation(
            "a vehicle belongs to a zone by its ground contact, not by its whole box",
            (Switch("detector.core.geometry", "GROUND_STRIP", 1.0),),
        ),
        "jam": Ablation(
            "time in a queue or a jam does not count", rule=lambda rule: replace(rule, jam_limit_s=0.0)
        ),
        "bay": Ablation("who stands in a bay is exempt", rule=lambda rule: replace(rule, exempt_zones=())),
        "frozen": Ablation(
            "a picture that does not change is no view",
            (Switch("detector.judging.camera_fault", "FROZEN_RMS", -1.0),),
        ),
        "camera-fault": Ablation(
            "a view that cannot be judged suspends the rules of its time",
            rule=lambda rule: replace(
                rule, enabled=rule.enabled and rule.violation is not Violation.CAMERA_FAULT
            ),
        ),
        "whole-stay": Ablation(
            "weak names at every sample of a stay count together",
            (
                Switch("detector.judging.parking", "WEAK_EVIDENCE", 2.0),
                Switch("detector.proving.prove", "MOVED_CERTAINTY", 0.4),
            ),
        ),
        "fixtures": Ablation(
            "what neither came nor went in several times its limit, and is named weakly, is a fixture",
            (Switch("detector.proving.prove", "FIXTURE_LIMITS", float("inf")),),
        ),
        "nested-boxes": Ablation(
            "a box inside another is the same vehicle",
            (
                Switch("detector.judging.stays", "NESTED_SHARE", 2.0),
                Switch("detector.core.geometry", "NESTED_SHARE", 2.0),
            ),
        ),
        "two-wheelers": Ablation(
            "who waits among two-wheelers and leaves with them is excused",
            (Switch("detector.judging.jam", "RODE_ON", 1000),),
        ),
        "crowd": Ablation(
            "what people hide in part is compared where it is open to view",
            (
                Switch("detector.proving.prove", "FEWEST_VISIBLE", 17),
                Switch("detector.proving.prove", "GLIMPSES", 1),
            ),
        ),
        "drift": Ablation(
            "a camera that drifts is followed",
            (Switch("detector.proving.alignment", "AGREEING_QUARTERS", 5),),
        ),
        "background": Ablation(
            "what stands is told from the empty place, not only from what moves",
            (Switch("detector.pipeline.flow", "NATIVE", Native(Switches(background=False))),),
        ),
        "persistence": Ablation(
            "what only passes is not looked at at the camera's own resolution",
            (Switch("detector.pipeline.flow", "NATIVE", Native(Switches(persistence=False))),),
        ),
        "native-crops": Ablation(
            "small things that stand are looked at at the camera's own resolution",
            (Switch("detector.pipeline.flow", "NATIVE", None),),
        ),
        "midnight": Ablation("a stay goes on over midnight", apart=Apart.DAYS),
        "two-recordings": Ablation("a stay goes on from one recording into the next", apart=Apart.RECORDINGS),
    }
)


def ablation(name: str) -> Ablation:
    """Raises BadInput for a name that is none."""
    if name not in ABLATIONS:
        raise BadInput(f"no mechanism {name!r}; there are {', '.join(ABLATIONS)}")
    return ABLATIONS[name]


@contextmanager
def ablated(names: Sequence[str]) -> Iterator[None]:
    """The mechanisms' constants are switched off inside, in this process; they are as before afterwards."""
    with ExitStack() as stack:
        for name in names:
            for switch in ablation(name).switches:
                module = import_module(switch.module)
                stack.callback(setattr, module, switch.name, getattr(module, switch.name))
                setattr(module, switch.name, switch.off)
        yield


def without(rules: RuleSet, names: Sequence[str]) -> RuleSet:
    """The rules without what the mechanisms add to them."""
    own = dict(rules.rules)
    for name in names:
        own = {violation: ablation(name).rule(rule) for violation, rule in own.items()}
    return RuleSet(own)


def judged_apart(names: Sequence[str]) -> Apart:
    """What the mechanisms' absence leaves judged by itself."""
    return next((found for name in names if (found := ablation(name).apart) is not Apart.NOT), Apart.NOT)
