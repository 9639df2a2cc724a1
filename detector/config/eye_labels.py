"""Labels made by eye of pictures that are not part of the project: a JSON file by file name, in models/labels/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from detector.core.errors import BadInput

Share = Annotated[float, Field(ge=0, le=1)]


class EyeBox(BaseModel):
    """Rubbish of one kind; `xyxy` in [0, 1] of the picture's width and height."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    xyxy: tuple[Share, Share, Share, Share]

    @model_validator(mode="after")
    def _has_an_area(self) -> EyeBox:
        x1, y1, x2, y2 = self.xyxy
        if not (x1 < x2 and y1 < y2):
            raise ValueError(f"xyxy {self.xyxy} needs x1 < x2 and y1 < y2")
        return self


class EyeLabel(BaseModel):
    """What one picture shows, and whether it is for training or for test."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    use: Literal["train", "test"]
    waste: Literal["yes", "no", "unsure"]
    boxes: tuple[EyeBox, ...] = ()

    @model_validator(mode="after")
    def _has_boxes_only_with_waste(self) -> EyeLabel:
        if bool(self.boxes) != (self.waste == "yes"):
            raise ValueError(f"waste: {self.waste} does not fit {len(self.boxes)} boxes")
        return self

    def array(self) -> npt.NDArray[np.float64]:
        """The boxes, xyxy in [0, 1], shape (n, 4)."""
        return np.array([box.xyxy for box in self.boxes], np.float64).reshape(-1, 4)


class _EyeFile(BaseModel):
    about: str
    kinds: dict[str, str]
    pictures: dict[str, EyeLabel]

    @model_validator(mode="after")
    def _names_its_kinds(self) -> _EyeFile:
        used = {box.kind for label in self.pictures.values() for box in label.boxes}
        if unknown := used - set(self.kinds):
            raise ValueError(f"kinds that are not explained: {', '.join(sorted(unknown))}")
        return self


def read_eye_labels(path: Path) -> dict[str, EyeLabel]:
    """The labels by file name. Raises BadInput where the file is missing or not of this form."""
    try:
        return _EyeFile.model_validate_json(path.read_text(encoding="utf-8")).pictures
    except (OSError, ValidationError) as error:
        raise BadInput(f"{path}: {error}") from error
