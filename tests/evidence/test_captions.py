"""What is written on evidence, and that it can be read."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.timeline import Piece, Timeline
from detector.evidence.captions import CONVERTED, clip_captions, duration_en, duration_zh, still_captions
from detector.evidence.text import GAP, bar, draw_text, text_width, wrapped

from .conftest import START


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "0秒", "0 s"),
        (45.4, "45秒", "45 s"),
        (180, "3分", "3 min"),
        (432, "7分12秒", "7 min 12 s"),
        (3599.7, "1小时", "1 h"),
        (3725, "1小时2分5秒", "1 h 2 min 5 s"),
        (90_000, "25小时", "25 h"),
    ],
)
def test_a_duration_reads_naturally_in_both_languages(seconds, zh, en) -> None:
    assert (duration_zh(seconds), duration_en(seconds)) == (zh, en)


def test_a_still_says_where_when_what_and_how_long_in_both_languages(proof, scene) -> None:
    captions = still_captions(proof, scene, 2)
    text = GAP.join(phrase for row in (*captions.above, *captions.below) for phrase in row)
    for words in (
        "机动车违停 0505", "Illegal parking", "p017 南门大街路口", "p017 South Gate Street", "东侧禁停区 stand",
        "2026-01-09 00:02:06 +08:00", "停留 3分36秒", "stood 3 min 36 s", "共 7分12秒", "7 min 12 s in total",
        "限时 3分", "limit 3 min", "2/3", proof.incident.fingerprint[:10],
    ):  # fmt: skip
        assert words in text


def test_a_stay_whose_arrival_was_not_filmed_is_said_to_be_at_least_so_long(make_proof, scene) -> None:
    below = still_captions(make_proof(start_uncertainty_s=math.inf), scene, 1).below
    assert "共至少 7分12秒" in below[1]
    assert "at least 7 min 12 s in total" in below[2]


def test_a_fault_of_the_camera_names_no_zone_and_does_not_stand(make_proof, scene) -> None:
    captions = still_captions(make_proof(box=None), scene, 1)
    text = str(captions)
    assert "区域" not in text
    assert "停留" not in text
    assert "持续 1秒" in text


def test_a_still_of_a_recording_whose_clock_is_wrong_says_that_times_are_converted(make_proof, scene) -> None:
    proof = make_proof()
    fast = Timeline(0.0, (Piece(0.0, 0.0, 300.0, 1.25),))
    late = Timeline(0.0, (Piece(8.0, 0.0, 300.0),))
    for timeline, is_said in ((None, False), (late, False), (fast, True)):
        recording = replace(proof.stills[0].recording, timeline=timeline)
        mapped = replace(proof, stills=(replace(proof.stills[0], recording=recording), *proof.stills[1:]))
        assert (CONVERTED in still_captions(mapped, scene, 1).below) is is_said


def _picture_of(character: str) -> bytes:
    image = np.zeros((48, 48, 3), np.uint8)
    draw_text(image, character, (4, 36), 30, (255, 255, 255))
    return image.tobytes()


def test_every_character_of_the_captions_is_really_drawn(make_proof, scene) -> None:
    used = {
        character
        for proof in (make_proof(start_uncertainty_s=math.inf), make_proof(box=None))
        for captions in (still_captions(proof, scene, 1), clip_captions(proof, scene, START))
        for row in (*captions.above, *captions.below, CONVERTED)
        for phrase in row
        for character in phrase + GAP
    } - {" "}
    used |= set(
        "人行道机动车非乱停放占经营流摊贩暴露垃圾设备异常主次干商业大街交通路口夜市小时0123456789-:+/…，。（）"
    )
    nothing, unknown = _picture_of(" "), _picture_of("\ue000")
    assert _picture_of("\ue001") == unknown
    missing = [character for character in sorted(used) if _picture_of(character) in (nothing, unknown)]
    assert missing == []


PHRASES = st.text(
    st.sampled_from("路口禁停区人民医院（东）abcdefgHWmil0123456789 .-"), min_size=1, max_size=60
)


@given(row=st.lists(PHRASES, min_size=1, max_size=4).map(tuple), width=st.integers(40, 700))
def test_no_line_is_wider_than_its_bar_and_no_character_is_lost(row, width) -> None:
    lines = wrapped(row, 13, width)
    assert all(text_width(line, 13) <= width for line in lines)
    written, wanted = ("".join(text).replace("·", "").replace(" ", "") for text in (lines, row))
    assert written == wanted


@given(row=st.lists(PHRASES, min_size=1, max_size=3).map(tuple), size_px=st.integers(13, 28))
def test_text_does_not_touch_the_edges_of_its_bar(row, size_px) -> None:
    drawn = bar([row, row], 320, size_px)
    edges = np.concatenate([drawn[:2].reshape(-1, 3), drawn[-2:].reshape(-1, 3), drawn[:, -1], drawn[:, 0]])
    assert (edges == drawn[0, 0]).all()


def test_a_clip_caption_needs_the_same_room_at_every_moment(proof, scene) -> None:
    moments = [START + timedelta(seconds=977 * n) for n in range(200)]
    for width in (140, 176, 320):
        heights = {bar(clip_captions(proof, scene, at).below, width, 13).shape for at in moments}
        assert len(heights) == 1
