"""The queue page."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "queue.title": ("Queue", "问题队列"),
    "queue.total": ("{n} issues", "共 {n} 件"),
    "queue.review_these": ("Review these", "审核这些问题"),
    "queue.review_none": ("Nothing to review here", "没有待审核的问题"),
    "queue.filter": ("Filter", "筛选"),
    "queue.clear": ("Clear", "清除筛选"),
    "queue.apply": ("Show", "查询"),
    "queue.state": ("State", "状态"),
    "queue.violation": ("Violation", "违规类型"),
    "queue.category": ("Kind of place", "点位类别"),
    "queue.point": ("Point", "监控点位"),
    "queue.department": ("Department", "责任部门"),
    "queue.day_from": ("From", "起始日期"),
    "queue.day_until": ("Until", "截止日期"),
    "queue.certainty": ("Certainty", "可信度"),
    "certainty.high": ("High", "高"),
    "certainty.medium": ("Medium", "中"),
    "certainty.low": ("Low", "低"),
    "queue.order": ("Order", "排序"),
    "order.newest": ("Newest first", "最新在前"),
    "order.oldest": ("Oldest first", "最早在前"),
    "order.last_filed": ("Last filed first", "最近入库在前"),
    "queue.number": ("No.", "编号"),
    "queue.picture": ("Picture", "画面"),
    "queue.when": ("Began", "开始时间"),
    "queue.stood": ("Duration", "持续时长"),
    "queue.claimed": ("In hand", "处理人"),
    "queue.page": ("Page {page} of {pages}", "第 {page} / {pages} 页"),
    "queue.previous": ("Previous", "上一页"),
    "queue.next": ("Next", "下一页"),
    "queue.empty": ("No issue fits this filter.", "没有符合条件的问题。"),
    "queue.never_scanned": ("Nothing scanned yet", "尚未扫描任何录像"),
    "queue.never_scanned_do": (
        (
            "Not scanned: no recording of this county was judged yet. Put recordings in place, draw and confirm the zones, "
            "then run kerbwatch scan, or leave it to kerbwatch nightly."
        ),
        "未扫描：本县录像尚未经过判定。请放置录像、划定并确认区域，然后运行 kerbwatch scan，或由 kerbwatch nightly 每夜自动扫描。",
    ),
    "queue.pages": ("Pages", "分页"),
    "js.queue_new": ("{n} new or moved: show", "有 {n} 条更新，点击刷新"),
}
