"""Pictures to an H.264 (or other) video file that a browser plays."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.stream import VideoStream

from detector.core.values import Image

TICKS_PER_S = 1000


class VideoWriter:
    """Writes pictures with given presentation times into one file; use it as a context manager.

    The same pictures and settings give the same bytes, on any machine where `threads` is given. `keyframe_every` counts
    pictures.
    `kbit_s` holds an average rate, as recorders do, in place of the constant quality `crf`.
    Width and height must be even. H.264 is written as yuv420p with the index in front (`faststart`).
    """

    def __init__(
        self,
        path: Path,
        resolution_wh: tuple[int, int],
        fps: float,
        *,
        codec: str = "libx264",
        crf: int = 23,
        preset: str = "veryfast",
        keyframe_every: int = 50,
        b_frames: int | None = None,
        kbit_s: int | None = None,
        threads: int = 0,
    ) -> None:
        container_options = {"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {}
        self._container = av.open(str(path), "w", container_options=container_options)
        options = {"preset": preset, "crf": str(crf)} if codec in ("libx264", "libx265") else {}
        if kbit_s is not None:
            options = {"preset": preset, "b": f"{kbit_s}k", "maxrate": f"{kbit_s * 5 // 4}k"}
            options["bufsize"] = f"{2 * kbit_s}k"
        if b_frames is not None:
            options["bf"] = str(b_frames)
        if codec == "libx264":
            options["x264-params"] = f"keyint={keyframe_every}:min-keyint={keyframe_every}:scenecut=0"
        if codec == "libx265":
            options["x265-params"] = (
                f"keyint={keyframe_every}:min-keyint={keyframe_every}:scenecut=0:log-level=1"
            )
        rate = Fraction(fps).limit_denominator(1001)
        stream = self._container.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.width, self._stream.height = resolution_wh
        self._stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        self._stream.gop_size = keyframe_every
        if threads:
            self._stream.codec_context.thread_count = threads
        self._fps = fps
        self._variable = codec in ("libx264", "libx265", "mjpeg")
        if self._variable:
            self._stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        self._count = 0

    def write(self, image: Image, at_s: float | None = None) -> None:
        """Add a picture (height x width x 3, BGR, uint8) at `at_s` seconds; one frame after the last where None."""
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="bgr24")
        at_s = self._count / self._fps if at_s is None else at_s
        if self._variable:
            frame.time_base = Fraction(1, TICKS_PER_S)
            frame.pts = round(at_s * TICKS_PER_S)
        else:
            frame.pts = None
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()


def join(parts: Sequence[Path], path: Path) -> None:
    """One recording of the packets of several, one after another, without decoding any.

    Each must be the work of one `VideoWriter` with the same settings, and begin with a keyframe.
    """
    with av.open(str(path), "w") as target:
        out: VideoStream | None = None
        later = 0
        for part in parts:
            with av.open(str(part)) as source:
                stream = source.streams.video[0]
                if out is None:
                    out = target.add_stream_from_template(stream)
                assert stream.time_base is not None
                assert stream.duration is not None
                for packet in source.demux(stream):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + later, packet.dts + later
                        packet.stream = out
                        target.mux(packet)
                later += stream.duration
