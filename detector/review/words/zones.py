"""The page where zones are drawn."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "nav.zones": ("Zones", "区域"),
    "zones.title": ("Zones", "区域划定"),
    "zones.view": ("Camera", "摄像机"),
    "zones.add": ("New zone", "新建区域"),
    "zones.undo": ("Undo", "撤销"),
    "zones.picture": ("Other picture", "换一张画面"),
    "zones.list": ("Zones of this picture", "画面中的区域"),
    "zones.id": ("Name in the file", "区域编号"),
    "zones.id_hint": ("Letters, digits, - and _", "字母、数字、- 和 _"),
    "zones.kind": ("Kind", "区域类型"),
    "zones.permitted": ("Permitted hours", "准许时段"),
    "zones.permitted_hint": (
        "Such as 18:00-23:30; several with commas. Nothing is judged here then.",
        "例如 18:00-23:30，多个时段用逗号分隔；时段内不作判定。",
    ),
    "zones.limits": ("Own limits, seconds", "本区域时限（秒）"),
    "zones.limits_hint": ("Empty: as in rules.yaml.", "留空则按 rules.yaml 执行。"),
    "zones.delete": ("Delete this zone", "删除该区域"),
    "zones.try": ("Try on the last day", "用最近一日试算"),
    "zones.try_lead": (
        "Judges what was observed under these zones, without saving them.",
        "按当前区域重新判定已采样的数据，不会保存。",
    ),
    "zones.examples": (
        "These zones are examples: nothing is judged here before they are confirmed. Draw your own; saving confirms them.",
        "这些是示例区域，确认之前不作判定。请按实际画面划定，保存即为确认。",
    ),
    "zones.scale": ("Set this size, stretch the zones", "改用该尺寸，区域随画面缩放"),
    "zones.keep": ("Set this size, keep the corners' pixels", "改用该尺寸，顶点像素不变"),
    "js.zones_shape": (
        "{n} of {all} recordings are {width}×{height}, another picture shape than that of the zones ({own}). ",
        "{all} 个录像中有 {n} 个画面为 {width}×{height}，与区域的画面比例（{own}）不同。",
    ),
    "js.zones_save_first": ("Save the zones first, or undo the changes.", "请先保存或撤销对区域的修改。"),
    "zones.save": ("Save to the file", "保存到配置文件"),
    "zones.help_mouse": (
        "Drag corners or a whole zone; a small dot on an edge makes a corner there; a double click removes one.",
        "拖动顶点或整个区域；点击边上的小圆点可增加顶点；双击顶点可删除。",
    ),
    "zones.help_keys": (
        "Tab to a corner; arrows move it, with Shift by 10; + adds one behind it, Delete removes it.",
        "用 Tab 选中顶点；方向键移动，按住 Shift 每次移动 10 像素；+ 在其后增加顶点，Delete 删除。",
    ),
    "js.zones_draw": (
        "Click corner after corner; close it with Enter or on the first. Keys: arrows and Space. Esc ends it.",
        "依次点击各顶点，按 Enter 或点击第一个顶点闭合；键盘：方向键移动、空格落点；Esc 取消。",
    ),
    "js.zones_corner": ("Corner {n} of {zone}", "{zone} 的第 {n} 个顶点"),
    "js.zones_midpoint": ("New corner here", "在此增加顶点"),
    "js.zones_saved": ("Saved to {file}", "已保存到 {file}"),
    "js.zones_changed": (
        "The file was changed by somebody else meanwhile. Load it anew; what you drew is lost then.",
        "配置文件已被他人修改，请重新载入（当前绘制内容将丢失）。",
    ),
    "js.zones_reload": ("Load anew", "重新载入"),
    "js.zones_unsaved": ("Not saved yet", "尚未保存"),
    "js.zones_none": ("There is no zone yet.", "尚未划定区域。"),
    "js.zones_no_day": ("Nothing was observed here yet.", "该摄像机尚无采样数据。"),
    "js.zones_day": ("{day}: {n} looks judged again", "{day}：重新判定 {n} 次采样"),
    "js.zones_kept": ("{n} issues stay", "保留 {n} 件"),
    "js.zones_appeared": ("{n} would appear", "新增 {n} 件"),
    "js.zones_vanished": ("{n} would vanish", "消失 {n} 件"),
    "js.zones_no_picture": ("There is no picture of this camera yet.", "该摄像机尚无画面。"),
}
