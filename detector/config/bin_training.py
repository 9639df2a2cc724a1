"""The recipe of the bin classifier, as validated settings: what `kerbwatch models train` reads where `kind` is `bins`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from detector.config.reading import Part, demand, read
from detector.config.training import Count, Licence, Share
from detector.core.errors import Fault


class Seen(Part):
    """How a training picture is changed, to look as a surveillance camera sees a container; chances in [0, 1]."""

    copies: Annotated[int, Field(ge=0)]
    """How many changed copies of each picture are trained on beside the picture; half of them are mirrored."""
    from_px: Annotated[int, Field(ge=24)]
    """The least longer side that a copy is scaled down to."""
    until_px: Annotated[int, Field(le=640)]
    night: Share
    """Chance that a copy is dark and coloured as under street lamps."""
    blur: Share
    """Chance that a copy is a little out of focus."""
    crop: Annotated[float, Field(ge=0, lt=0.5)]
    """The most that is cut off each side, as a share of it."""


class Fit(Part):
    """How the network is fitted: AdamW with a warm-up and a cosine, and a moving average of the weights."""

    epochs: Count
    """Length of the schedule."""
    stop_after: Count
    """The fit ends after so many epochs of it."""
    batch: Count
    rate: Annotated[float, Field(gt=0, lt=1)]
    """Highest learning rate of the layers that were trained before."""
    head_rate: Annotated[float, Field(gt=0, lt=1)]
    """And of the last layer, which was not."""
    frozen_blocks: Annotated[int, Field(ge=0)]
    """The stem and so many blocks stay as they are: they cost most time and see what all pictures have."""
    skipped: Annotated[float, Field(ge=0, lt=1)]
    """Chance that the last block is skipped for a picture; less for those before it."""
    dropped: Annotated[float, Field(ge=0, lt=1)]
    """Share of the features that the last layer does not see."""
    mixed: Annotated[float, Field(gt=0)]
    """Two pictures are laid over each other in a proportion of the distribution Beta(mixed, mixed)."""
    smoothed: Annotated[float, Field(ge=0, lt=0.5)]
    """Truth is this far from 0 and 1."""
    kept_out_of: Annotated[int, Field(ge=2)]
    """One training picture of so many is kept out, to choose the threshold and to calibrate."""


class BinTrainingSettings(Part):
    """The whole recipe. Relative paths are taken from where the YAML file lies."""

    kind: Literal["bins"]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    seed: int
    backbone: str
    """Name in the manifest, of the network that is trained on."""
    side_px: Annotated[int, Field(ge=64, multiple_of=32)]
    """The side of the network's square input."""
    pictures: Path
    """Folder with `train` and `val`, each with `clean` and `dirty`."""
    licence: Licence
    seen: Seen
    fit: Fit
    precision: Share
    """The precision that the threshold is chosen for, on the training pictures that are kept out."""
    recall: Share
    """The recall at which the precision is reported."""
    bins: Count = 10
    """Into so many intervals the probabilities are divided to compare them with the share of dirty containers."""


def load_bin_training(path: Path) -> BinTrainingSettings:
    """The recipe in a YAML file. Raises BadConfig with every fault at once."""
    faults: list[Fault] = []
    settings = read(path, BinTrainingSettings, faults)
    demand(faults)
    assert settings is not None  # or there would be faults
    return settings.model_copy(update={"pictures": path.resolve().parent / settings.pictures})


def trains_bins(path: Path) -> bool:
    """Whether a recipe says `kind: bins`; what is wrong with it is for its loader to say."""
    found = read(path, dict[str, object], [])
    return found is not None and found.get("kind") == "bins"
