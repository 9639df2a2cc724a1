"""The working example: 39 points with zones, rules, codes and departments, as files that a person edits.

`configs/` is exactly what this writes. Made of code, so that no two of the 39 points disagree in form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from detector.core.errors import BadInput
from detector.core.values import Category, ZoneKind

RESOLUTION_WH: Final = (960, 540)
PLAIN_FILES: Final = (
    "README.md",
    "calendar.yaml",
    "codes.yaml",
    "deadlines.yaml",
    "departments.yaml",
    "kerbwatch.yaml",
    "routing.yaml",
    "rules.yaml",
    "webhooks.yaml",
)
"""Files that stand beside this one under `example/` as they are written."""

Outline = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ZoneSketch:
    """A zone of a category's base layout, in pixels of RESOLUTION_WH."""

    id: str
    kind: ZoneKind
    outline: Outline
    permitted: str = ""


@dataclass(frozen=True, slots=True)
class PointSketch:
    number: int
    category: Category
    name: str
    name_en: str

    @property
    def id(self) -> str:
        return f"p{self.number:03d}"


# A parked car is some 130 x 90 px here, and a quarter of its height is ground contact: every strip that a car
# may stand on is 85 px deep or more. All points of a category share one layout, so that one drawn street does.
LAYOUTS: Final[dict[Category, tuple[ZoneSketch, ...]]] = {
    Category.ARTERIAL: (
        ZoneSketch("road", ZoneKind.CARRIAGEWAY, ((0, 246), (960, 214), (960, 404), (0, 446))),
        ZoneSketch("kerb", ZoneKind.NO_PARKING, ((0, 354), (960, 318), (960, 404), (0, 446))),
        ZoneSketch("footway", ZoneKind.SIDEWALK, ((0, 446), (960, 404), (960, 540), (0, 540))),
        ZoneSketch("stalls", ZoneKind.NO_VENDING, ((60, 452), (430, 436), (430, 532), (60, 532))),
        ZoneSketch("clean", ZoneKind.SANITATION, ((500, 434), (900, 417), (900, 532), (500, 532))),
    ),
    Category.COMMERCIAL_STREET: (
        ZoneSketch("footway", ZoneKind.SIDEWALK, ((0, 212), (960, 232), (960, 322), (0, 300))),
        ZoneSketch("road", ZoneKind.CARRIAGEWAY, ((0, 300), (960, 322), (960, 512), (0, 486))),
        ZoneSketch("kerb", ZoneKind.NO_PARKING, ((0, 300), (960, 322), (960, 412), (0, 388))),
        ZoneSketch("bay", ZoneKind.PARKING_BAY, ((640, 318), (900, 324), (900, 406), (640, 400))),
        ZoneSketch("stalls", ZoneKind.NO_VENDING, ((40, 220), (460, 229), (460, 304), (40, 294))),
        ZoneSketch("clean", ZoneKind.SANITATION, ((520, 230), (920, 239), (920, 315), (520, 305))),
    ),
    Category.INTERSECTION: (
        ZoneSketch(
            "road",
            ZoneKind.CARRIAGEWAY,
            ((0, 262), (330, 250), (372, 170), (560, 170), (612, 242), (960, 230), (960, 414), (0, 452)),
        ),
        ZoneSketch("kerb", ZoneKind.NO_PARKING, ((0, 364), (960, 328), (960, 414), (0, 452))),
        ZoneSketch("footway", ZoneKind.SIDEWALK, ((0, 452), (960, 414), (960, 540), (0, 540))),
        ZoneSketch("clean", ZoneKind.SANITATION, ((80, 458), (440, 443), (440, 532), (80, 532))),
        ZoneSketch("stalls", ZoneKind.NO_VENDING, ((520, 440), (900, 425), (900, 532), (520, 532))),
    ),
    Category.NIGHT_MARKET: (
        ZoneSketch("road", ZoneKind.CARRIAGEWAY, ((0, 216), (960, 232), (960, 388), (0, 368))),
        ZoneSketch("kerb", ZoneKind.NO_PARKING, ((0, 280), (960, 300), (960, 388), (0, 368))),
        ZoneSketch("bay", ZoneKind.PARKING_BAY, ((60, 286), (330, 292), (330, 370), (60, 364))),
        ZoneSketch("footway", ZoneKind.SIDEWALK, ((0, 368), (960, 388), (960, 540), (0, 540))),
        ZoneSketch(
            "stalls", ZoneKind.NO_VENDING, ((360, 384), (920, 395), (920, 470), (360, 470)), "18:00-23:30"
        ),
        ZoneSketch("clean", ZoneKind.SANITATION, ((40, 478), (920, 478), (920, 532), (40, 532))),
    ),
}

RECORDERS: Final[dict[Category, str]] = {
    Category.ARTERIAL: "hikvision",
    Category.COMMERCIAL_STREET: "iso",
    Category.INTERSECTION: "dahua",
    Category.NIGHT_MARKET: "iso",
}

NAMES: Final[dict[Category, tuple[tuple[str, str], ...]]] = {
    Category.ARTERIAL: (
        ("人民路东段", "Renmin Road East"),
        ("人民路西段", "Renmin Road West"),
        ("解放路北段", "Jiefang Road North"),
        ("解放路南段", "Jiefang Road South"),
        ("中山路", "Zhongshan Road"),
        ("建设路", "Jianshe Road"),
        ("和平路", "Heping Road"),
        ("新华路", "Xinhua Road"),
        ("文化路", "Wenhua Road"),
        ("胜利路", "Shengli Road"),
        ("青年路", "Qingnian Road"),
        ("迎宾大道", "Yingbin Avenue"),
        ("滨河路", "Binhe Road"),
        ("工业大道", "Gongye Avenue"),
    ),
    Category.COMMERCIAL_STREET: (
        ("东大街", "East Street"),
        ("西大街", "West Street"),
        ("南大街", "South Street"),
        ("北大街", "North Street"),
        ("中心商业街", "Central Shopping Street"),
        ("步行街北口", "Pedestrian Street, north end"),
        ("老城商业街", "Old Town Shopping Street"),
        ("建材市场街", "Building Materials Market Street"),
        ("农贸市场街", "Farmers' Market Street"),
        ("车站商业街", "Station Shopping Street"),
    ),
    Category.INTERSECTION: (
        ("人民路与解放路交叉口", "Renmin Road and Jiefang Road"),
        ("人民路与中山路交叉口", "Renmin Road and Zhongshan Road"),
        ("人民路与建设路交叉口", "Renmin Road and Jianshe Road"),
        ("解放路与和平路交叉口", "Jiefang Road and Heping Road"),
        ("解放路与新华路交叉口", "Jiefang Road and Xinhua Road"),
        ("中山路与文化路交叉口", "Zhongshan Road and Wenhua Road"),
        ("中山路与胜利路交叉口", "Zhongshan Road and Shengli Road"),
        ("建设路与青年路交叉口", "Jianshe Road and Qingnian Road"),
        ("迎宾大道与滨河路交叉口", "Yingbin Avenue and Binhe Road"),
        ("迎宾大道与工业大道交叉口", "Yingbin Avenue and Gongye Avenue"),
        ("新华路与青年路交叉口", "Xinhua Road and Qingnian Road"),
    ),
    Category.NIGHT_MARKET: (
        ("东门夜市", "East Gate Night Market"),
        ("滨河夜市", "Riverside Night Market"),
        ("文化广场夜市", "Culture Square Night Market"),
        ("车站夜市", "Station Night Market"),
    ),
}

CATEGORY_ZH: Final[dict[Category, str]] = {
    Category.ARTERIAL: "主次干道",
    Category.COMMERCIAL_STREET: "商业大街",
    Category.INTERSECTION: "交通路口",
    Category.NIGHT_MARKET: "夜市",
}
ZONE_ZH: Final[dict[ZoneKind, str]] = {
    ZoneKind.NO_PARKING: "禁停区",
    ZoneKind.SIDEWALK: "人行道",
    ZoneKind.PARKING_BAY: "停车位（豁免）",
    ZoneKind.NO_VENDING: "禁摆区",
    ZoneKind.SANITATION: "保洁区",
    ZoneKind.CARRIAGEWAY: "车行道",
    ZoneKind.BIN: "垃圾桶",
    ZoneKind.TACTILE_PATH: "盲道",
}


def write_template(folder: Path, *, judge_example_zones: bool = False) -> list[Path]:
    """Writes the example into a folder, made where it is missing; returns the files in order.

    Its zones are marked as examples: nothing is judged there before somebody confirms them, unless
    `judge_example_zones`.
    Raises BadInput, and writes nothing, where one of the files exists: it may hold somebody's work.
    """
    files_ = template_files(judge_example_zones=judge_example_zones)
    texts = {folder / name: text for name, text in files_.items()}
    if existing := [path for path in texts if path.exists()]:
        raise BadInput(f"{existing[0]} exists already; choose a new folder, nothing was written")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}") from error
    return list(texts)


def template_files(*, judge_example_zones: bool = False) -> dict[str, str]:
    """Every file of the example: its path inside the folder, with forward slashes, and its text."""
    example = files("detector.config") / "example"
    plain = {name: (example / name).read_text(encoding="utf-8") for name in PLAIN_FILES}
    if judge_example_zones:
        plain["kerbwatch.yaml"] = plain["kerbwatch.yaml"].replace(
            "judge_example_zones: false", "judge_example_zones: true"
        )
    return plain | {f"points/{point.id}.yaml": point_text(point) for point in points()}


def points() -> Iterator[PointSketch]:
    """The 39 points, p001 to p039, category by category."""
    named = [(category, *names) for category, all_names in NAMES.items() for names in all_names]
    for number, (category, name, name_en) in enumerate(named, start=1):
        yield PointSketch(number, category, name, name_en)


def point_text(point: PointSketch) -> str:
    """A point's file. Its zones are the category's layout, moved by a few pixels as no two cameras hang alike."""
    zones = "".join(_zone_text(zone, point.number) for zone in LAYOUTS[point.category])
    return f"""\
# 监控点位。多边形顶点为 resolution_wh 画面内的像素坐标 [x, y]，左上角为 [0, 0]；全部写法见 ../README.md。
# A monitored point. Corners are pixels [x, y] of a picture of resolution_wh, [0, 0] at the top left; see ../README.md.
id: {point.id}
name: {point.name}
name_en: {point.name_en}
category: {point.category}  # {CATEGORY_ZH[point.category]}
grid: "W{(point.number - 1) // 4 + 1:02d}"  # 网格编号 / grid unit
resolution_wh: [{RESOLUTION_WH[0]}, {RESOLUTION_WH[1]}]
recordings:
  folder: {point.id}  # 录像根目录下的文件夹 / below archive.root
  template: {RECORDERS[point.category]}  # 文件名格式 / how files are named: hikvision | dahua | iso | your own
  clock_offset_s: 0  # 录像机时钟加上此秒数为准确时间 / seconds to add to the recorder's clock
example_zones: true  # 示例区域：确认前不作判定 / examples: judged only after they are confirmed
zones:
{zones}"""


def _zone_text(zone: ZoneSketch, number: int) -> str:
    outline = ", ".join(f"[{x}, {y}]" for x, y in _moved(zone.outline, number))
    text = f"""\
  - id: {zone.id}
    kind: {zone.kind}  # {ZONE_ZH[zone.kind]}
    polygon: [{outline}]
"""
    if zone.permitted:
        text += f'    permitted: ["{zone.permitted}"]  # 准许时段 / hours in which it is allowed\n'
    return text


def _moved(outline: Outline, number: int) -> Outline:
    """Up to 8 px sideways and 6 px up or down, by the point's number; what touches the picture's edge still does."""
    width, height = RESOLUTION_WH
    dx, dy = number * 7 % 17 - 8, number * 5 % 13 - 6
    return tuple((x if x in (0, width) else x + dx, y if y == height else y + dy) for x, y in outline)
