"""Recordings whose clocks are wrong in a known way, made of pictures that tell their own number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from video_fixture import FPS, HEIGHT, WIDTH, Made, picture

Moment = Callable[[float], float]
"""From when a picture was taken, seconds after the first, to what the container states."""

ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}


def as_it_is(taken_s: float) -> float:
    return taken_s


def remade(
    made: Made, path: Path, stated: Moment = as_it_is, *, from_s: float = 0.0, until_s: float = 1e9
) -> Path:
    """The packets of the pictures taken in [from_s, until_s) with other times, in the container of the path's suffix."""
    with av.open(str(made.path)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.pts is None or packet.dts is None:
                continue
            taken_s = float(packet.pts * packet.time_base)
            if from_s - 1e-6 <= taken_s < until_s - 1e-6:
                packet.pts = round(stated(taken_s) / packet.time_base)
                packet.dts = round(stated(float(packet.dts * packet.time_base)) / packet.time_base)
                packet.stream = stream
                target.mux(packet)
    return path


def joined(parts: list[Path], path: Path) -> Path:
    """The bytes of transport streams one after another."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def bare(made: Made, path: Path) -> Path:
    """The video stream without a container."""
    with av.open(str(made.path)) as source, path.open("wb") as file:
        stream = source.streams.video[0]
        marked = BitStreamFilterContext(ANNEX_B[stream.codec_context.name], stream)
        for packet in source.demux(stream):
            for out in marked.filter(packet if packet.size else None):
                file.write(bytes(out))
    return path


def with_sound(made: Made, path: Path, *, video_later_s: float) -> Path:
    """The video behind some seconds in which there is only sound, which goes on to the end."""
    with av.open(str(made.path)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=8000, layout="mono")
        for number in range(int((made.duration_s + video_later_s) * 8000 / 1024)):
            frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = 8000, number * 1024
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
        for packet in source.demux(source.streams.video[0]):
            if packet.pts is not None and packet.dts is not None:
                later = round(video_later_s / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + later, packet.dts + later, stream
                target.mux(packet)
    return path


def stating(path: Path, *, codec: str = "libx264", pictures: int = 240, b_frames: int = 0) -> Made:
    """A video whose stream states its picture rate itself, as those of cameras mostly do."""
    with av.open(str(path), "w") as target:
        options = {"preset": "ultrafast", "crf": "12", "bf": str(b_frames), "x265-params": "log-level=none"}
        stream = target.add_stream(codec, rate=int(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 10
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(picture(number), format="bgr24")
            frame.pts = number
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return Made(path, tuple(number / FPS for number in range(pictures)), 10)
