"""Files of an archive that kerbwatch does not read, counted folder by folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath

from detector.footage.marks import SUFFIXES

# fmt: off
BESIDE_SUFFIXES = frozenset((
    ".bmp", ".cfg", ".csv", ".db", ".gif", ".htm", ".html", ".idx", ".ini", ".jpeg", ".jpg", ".json", ".lnk", ".log",
    ".md", ".md5", ".nfo", ".pdf", ".png", ".sha1", ".sha256", ".srt", ".sub", ".txt", ".url", ".vtt", ".webp",
    ".xml", ".yaml", ".yml",
))
# fmt: on
"""What stands beside recordings and is none: texts, pictures, indexes. These are not counted."""

NO_ENDING = "no ending"


@dataclass(frozen=True, slots=True)
class Ignored:
    """The files of one folder that kerbwatch does not read. `folder` is relative to the archive's root."""

    folder: str
    count: int
    endings: tuple[tuple[str, int], ...]
    """Each ending and how many files have it, the most frequent first."""
    example: str
    """The name of one of them."""

    @property
    def reason(self) -> str:
        endings = ", ".join(f"{ending} ({count})" for ending, count in self.endings)
        what = "1 file is" if self.count == 1 else f"{self.count} files are"
        return f"{what} not used, for kerbwatch does not read files that end so: {endings}; such as {self.example!r}"

    def __str__(self) -> str:
        return f"{self.folder}: {self.reason}"


@dataclass(slots=True)
class Counted:
    """The count while a folder's tree is walked."""

    endings: dict[str, Counter[str]] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, folder: str, name: str) -> None:
        """Count a file that is not read, unless it is one that stands beside recordings."""
        ending = PurePath(name).suffix.lower()
        if ending in BESIDE_SUFFIXES:
            return
        self.endings.setdefault(folder, Counter())[ending or NO_ENDING] += 1
        self.examples.setdefault(folder, _shown(name))

    def all(self) -> tuple[Ignored, ...]:
        """Folder by folder, in order."""
        return tuple(
            Ignored(folder, counts.total(), tuple(counts.most_common()), self.examples[folder])
            for folder, counts in sorted(self.endings.items())
        )


def is_recording(name: str) -> bool:
    """Whether a file's name ends as recordings do."""
    return PurePath(name).suffix.lower().rstrip("_") in SUFFIXES


def _shown(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="replace")
