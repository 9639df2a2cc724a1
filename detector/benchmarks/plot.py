"""The benchmark as a picture: camera-hours per core-hour of each method, the limits beside."""

from __future__ import annotations

from pathlib import Path

from detector.benchmarks.bench import Bench
from detector.benchmarks.footage import Street


def draw(result: Bench, path: Path) -> None:
    """Bars on a logarithmic scale, a panel for each kind of street."""
    import matplotlib as mpl  # noqa: PLC0415  # comes with ultralytics and takes a second to import

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  # after its backend was chosen

    streets = [street for street in Street if any(row.street is street for row in result.rows)]
    size = (6.5 * len(streets), 4.5)
    figure, panels = plt.subplots(1, len(streets), figsize=size, layout="constrained", squeeze=False)
    for street, panel in zip(streets, panels[0], strict=True):
        rows = [row for row in result.rows if row.street is street]
        limits = {f"limit of {method}": one.rate for method, one in result.limits if one.street is street}
        rates = {**{row.method: row.rate for row in rows}, **limits}
        names = sorted(rates, key=lambda name: rates[name])
        colours = [
            "#2b6cb0" if n.startswith("kerbwatch") else "#c4c9d1" if n in limits else "#dd8452" for n in names
        ]
        bars = panel.barh(names, [rates[name] for name in names], color=colours)
        panel.bar_label(bars, [f"{rates[name]:,.1f}" for name in names], padding=4)
        panel.set_xscale("log")
        panel.set_xlim(0.3, max(rates.values()) * 8)
        panel.set_title(f"{street} street")
        panel.set_xlabel("camera-hours per core-hour")
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{result.machine}, {result.cores} cores, {result.at:%Y-%m-%d}; 1080p25 H.264, 3-minute limits"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
