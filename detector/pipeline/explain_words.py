"""The words of an explanation in Chinese: names of objects, zones and faults, and why verification dropped a candidate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from detector.config.template import ZONE_ZH
from detector.core.values import ZoneKind
from detector.proving.explain import FAULTS

LABELS_ZH: Final[Mapping[str, str]] = {
    "airplane": "飞机",
    "backpack": "背包",
    "bench": "长椅",
    "bicycle": "自行车",
    "bin": "垃圾桶",
    "boat": "船",
    "bus": "客车",
    "car": "小汽车",
    "cell phone": "手机",
    "chair": "椅子",
    "dining table": "餐桌",
    "handbag": "手提包",
    "motorcycle": "摩托车",
    "person": "行人",
    "rubbish": "垃圾",
    "suitcase": "行李箱",
    "train": "火车",
    "truck": "货车",
    "umbrella": "雨伞",
    "van": "面包车",
}
"""Names of what detectors find. A name that is not listed is shown as it is."""

FIGURE = r"(-?[\d.]+)"
"""A number in a reason."""

REASONS_ZH: Final[Mapping[str, str]] = {
    r"no picture can be had of it": "无法取得该处画面",
    r"different objects in the same place, none of which stands": "同一位置先后为不同目标, 均未停留",
    r"too few pictures show it further apart than the limit": "间隔超过时限的有效画面不足",
    rf"the same object stood for at most {FIGURE} s, the limit is {FIGURE} s": "同一目标最多停留{0}秒, 时限{1}秒",
    rf"the same object stood for {FIGURE} s, the limit is {FIGURE} s": "同一目标停留{0}秒, 时限{1}秒",
    rf"not a vehicle: certainty {FIGURE}": "不是车辆: 可信度{0}",
    rf"not a vehicle: certainty {FIGURE}, and it neither came nor went": "不是车辆: 可信度{0}, 且未见到来或离开",
    r"it was never called a vehicle, and neither came nor went": "从未识别为车辆, 且未见到来或离开",
    rf"a fixture: in its place at all times, certainty {FIGURE}": "固定设施: 始终在原处, 可信度{0}",
    r"no label names it, and it was seen neither to come nor to leave": "无标签可命名, 且未见到来或离开",
    r"nothing stays there": "该处无滞留物",
    rf"it lay for {FIGURE} s, the limit is {FIGURE} s": "弃置{0}秒, 时限{1}秒",
    rf"people pass it, nobody stays: {FIGURE} of {FIGURE} looks show one": "行人路过, 无人停留: {1}次采样中{0}次有人",
    rf"the same object as issue {FIGURE}": "与问题 {0} 为同一目标",
    r"it was always there": "始终在原处",
    r"the change is larger than a thing or cut by the picture's edge": "变化区域大于遗弃物, 或被画面边缘截断",
    r"only the light changed": "仅光线变化",
    r"there is no classifier of containers to ask \(model\.bin_weights\)": "未配置垃圾桶分类模型 (model.bin_weights)",
    rf"the container is dirty in {FIGURE} of {FIGURE} pictures": "{1}张画面中{0}张显示垃圾桶满溢",
    rf"dirty for {FIGURE} s, the limit is {FIGURE} s": "满溢{0}秒, 时限{1}秒",
    rf"a person, vehicle or bicycle in {FIGURE} of {FIGURE} pictures": "{1}张画面中{0}张识别为行人、车辆或自行车",
    rf"a vehicle: certainty {FIGURE}": "是车辆: 可信度{0}",
    r"something was taken away there": "该处有物品被移走",
}
"""Reasons of a drop as patterns of the whole text; `{0}` is the first figure of the pattern."""

UNNAMED_BAG = re.compile(rf"(.+), and no detector of bags names it \({FIGURE}\)")


def reason_zh(reason: str) -> str:
    """Why verification dropped a candidate, in Chinese; the English text where no pattern matches it."""
    if bag := UNNAMED_BAG.fullmatch(reason):
        return f"{reason_zh(bag[1])}, 且垃圾检测模型未识别 ({bag[2]})"
    for pattern, text in REASONS_ZH.items():
        if found := re.fullmatch(pattern, reason):
            return text.format(*found.groups())
    return reason


def fault_en(what: str) -> str:
    return FAULTS[what][0] if what in FAULTS else what


def fault_zh(what: str) -> str:
    return FAULTS[what][1] if what in FAULTS else what


def label_zh(label: str) -> str:
    return LABELS_ZH.get(label, label)


def kind_zh(kind: ZoneKind) -> str:
    return ZONE_ZH[kind]
