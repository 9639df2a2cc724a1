"""The recipe of a detector of our own, as validated settings: what `kerbwatch models train` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from detector.config.reading import Part, demand, read, wrong
from detector.core.errors import Fault
from detector.core.geometry import polygon_fault

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Corner = tuple[Share, Share]
Licence = Literal[
    "AGPL-3.0",
    "Apache-2.0",
    "BSD-3-Clause",
    "CC BY 4.0",
    "CC0-1.0",
    "MIT",
    "Unlicense",
    "made by us",
    "none stated",
]
"""Licences of what is learned from. Pictures whose source states none are read for training and never shipped."""


class View(Part):
    """A picture, or one picture of a clip: the one that shows at `at_s` seconds."""

    file: str
    at_s: Annotated[float, Field(ge=0)] | None = None


class Street(View):
    """A street view to compose on. `ground` is where things may lie, corners in [0, 1] of width and height."""

    use: Literal["train", "test"]
    licence: Licence
    ground: tuple[Corner, ...]

    @model_validator(mode="after")
    def _has_ground(self) -> Street:
        if fault := polygon_fault(self.ground):
            raise wrong(fault)
        return self


class Sample(Part):
    """A sample photo of ultralytics without rubbish; `boxes` (xyxy pixels) hold people and things to cut out."""

    file: str
    boxes: tuple[tuple[int, int, int, int], ...]


class Source(Part):
    """A folder of whole pictures to train on, at their own size and without composing."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    folder: str
    """Folder of the pictures (.jpg), relative to `datasets`."""
    labels: Literal["boxes", "by eye", "no rubbish"]
    """`boxes`: YOLO boxes in the folder `labels` beside it, every class is rubbish. `by eye`: see `labels_file`."""
    labels_file: Path | None = None
    """JSON of labels made by eye; only its pictures for the recipe's use are taken, and no unsure ones."""
    licence: Licence
    matching: tuple[str, ...] = ()
    """Only pictures whose name contains one of these; all pictures if empty."""
    every: Count = 1
    """Only each so-many-th of the pictures, in the order of their names."""
    repeats: Count = 1
    """How often each picture is shown in an epoch."""

    @model_validator(mode="after")
    def _has_its_labels(self) -> Source:
        if (self.labels == "by eye") != (self.labels_file is not None):
            raise wrong("labels_file is needed with labels: by eye, and only then")
        return self


class SizeBand(Part):
    """Widths in pixels, [from_px, until_px), and how often the band is drawn relative to the others."""

    from_px: Annotated[int, Field(ge=8)]
    until_px: Annotated[int, Field(le=400)]
    weight: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _is_a_band(self) -> SizeBand:
        if self.until_px <= self.from_px:
            raise wrong(f"until_px {self.until_px} must lie above from_px {self.from_px}")
        return self


class Mix(Part):
    """What the training set is made of; counts are pictures, shares are chances in [0, 1]."""

    close_up_repeats: Count
    """How often each close-up is shown in an epoch."""
    composed: Count
    whole_views: Annotated[int, Field(ge=0)] = 0
    """How often each street view of use `train` is shown in an epoch, whole and without rubbish."""
    canvas_px: Annotated[int, Field(ge=128, multiple_of=32)]
    zoom: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    """Scale of a street view before its canvas is cut out, drawn log-uniformly."""
    without_rubbish: Share
    max_bags: Count
    max_distractors: Count
    anywhere: Share
    """Chance that an object lies anywhere and not on the ground."""
    dark_bags: Share
    """Chance that a bag is recoloured black: the data set labels none."""
    max_stains: Annotated[int, Field(ge=0)]
    """Puddles, dry patches, shadows and reflections on the ground: soft, brighter or darker, not rubbish."""
    patches: Share
    """Among the pasted things that are neither bag nor person: patches of streets; the others are plain things."""
    bag_outlines: Share
    """Chance that such a patch has the outline of a bag: nothing but what is inside tells then."""
    surroundings: Share
    """Chance that a pasted patch is from beside the bags of a close-up and not from a street view."""
    procedural_ground: Share
    sample_photos: Share
    bands: Annotated[tuple[SizeBand, ...], Field(min_length=1)]


class Fit(Part):
    """What the optimiser is told; names as in ultralytics."""

    epochs: Count
    imgsz: Annotated[int, Field(ge=128, multiple_of=32)]
    batch: Count
    freeze: Annotated[int, Field(ge=0, le=22)]
    """How many layers, from the first, keep the COCO weights."""
    optimizer: Literal["SGD", "AdamW"]
    lr0: Annotated[float, Field(gt=0)]
    lrf: Share
    warmup_epochs: Annotated[float, Field(ge=0)]
    mosaic: Share
    close_mosaic: Annotated[int, Field(ge=0)]
    scale: Share
    threads: Count
    bfloat16: bool
    """Compute the layers in bfloat16: about twice as fast on a CPU that has it, slower on one that has not."""


class Trial(Part):
    """How the trained file is scored. Nothing of it is learned from."""

    pictures: Count
    """Composed pictures in each of the tests at surveillance size."""
    views_wh: Annotated[tuple[tuple[int, int], ...], Field(min_length=1)]
    """Widths and heights of whole street views; the first as cameras are seen."""
    enlarge: Annotated[float, Field(ge=1, le=4)] = 1.0
    """How many times as large as it is a street view is shown to the network, as training shows its tiles."""
    threshold: Share
    """The confidence from which a detection counts as rubbish."""
    precision: Share
    """The precision at which the recall is reported, see the aims of the model card."""
    aim: SizeBand
    """The sizes that the aim is about; `bands` are scored one by one besides."""
    bands: Annotated[tuple[SizeBand, ...], Field(min_length=1)]
    clean: tuple[View, ...] = ()
    """Pictures without rubbish, to count false alarms on beside the street views and the sample photos."""
    close_up_imgsz: Annotated[tuple[int, ...], Field(min_length=1)]
    sources: tuple[Source, ...] = ()
    """Whole pictures that are tested on: mAP50 by `boxes`, an AUC by eye, false alarms on `no rubbish`."""
    source_imgsz: Annotated[int, Field(ge=128, multiple_of=32)] = 640
    """The input size that `sources` are scored at."""


class TrainingSettings(Part):
    """The whole recipe. Relative folders are taken from where the YAML file lies."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    """Of the trained weights in the manifest; their file is named so too."""
    seed: int
    weights: Path
    weights_licence: Licence
    trashbags: Path
    trashbags_licence: Licence
    tuning_photos: Annotated[int, Field(ge=0)]
    """Photos of the training half that are kept out of it, to choose the threshold by."""
    stills: Path
    """Folder of the files of `streets` and `trial.clean`."""
    datasets: Path = Path()
    """Folder of the folders of `sources` and `trial.sources`."""
    sources: tuple[Source, ...] = ()
    """Whole pictures that are trained on beside the close-ups and the composed pictures."""
    streets: tuple[Street, ...]
    samples: tuple[Sample, ...]
    samples_licence: Licence
    mix: Mix
    fit: Fit
    trial: Trial

    @model_validator(mode="after")
    def _has_both_halves(self) -> TrainingSettings:
        if {street.use for street in self.streets} != {"train", "test"}:
            raise wrong("streets needs a view to train on and another to test on")
        return self


def load_training(path: Path) -> TrainingSettings:
    """The recipe in a YAML file. Raises BadConfig with every fault at once."""
    faults: list[Fault] = []
    settings = read(path, TrainingSettings, faults)
    demand(faults)
    assert settings is not None  # or there would be faults
    folder = path.resolve().parent
    trial = settings.trial.model_copy(update={"sources": _placed(settings.trial.sources, folder)})
    return settings.model_copy(
        update={
            **{
                name: folder / getattr(settings, name)
                for name in ("weights", "trashbags", "stills", "datasets")
            },
            "sources": _placed(settings.sources, folder),
            "trial": trial,
        }
    )


def _placed(sources: tuple[Source, ...], folder: Path) -> tuple[Source, ...]:
    """The sources with their label files taken from the recipe's folder."""
    return tuple(
        source
        if source.labels_file is None
        else source.model_copy(update={"labels_file": folder / source.labels_file})
        for source in sources
    )
