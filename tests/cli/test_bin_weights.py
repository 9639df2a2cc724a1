"""The classifier of containers on the command line: it is missed only where a container is to be judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.cli.common import bin_judge_of, default_model
from detector.core.errors import BadConfig, BadWeights


@pytest.mark.parametrize("manifest", [None, "{}\n"])
def test_a_folder_of_weights_without_a_classifier_is_refused_only_when_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: str | None
) -> None:
    monkeypatch.setenv("KERBWATCH_MODELS", str(tmp_path))
    if manifest is not None:
        (tmp_path / "manifest.yaml").write_text(manifest)
    judge = bin_judge_of(default_model())
    assert judge is not None
    assert judge.model_id == "bins"
    with pytest.raises((BadWeights, BadConfig), match=r"manifest\.yaml"):
        judge.dirty(np.zeros((100, 100, 3), np.uint8))


def test_without_a_name_there_is_no_classifier() -> None:
    assert bin_judge_of(replace(default_model(), bin_weights="")) is None
