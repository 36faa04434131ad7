"""The pictures of docs/performance.md, as small SVG files that read well on light and on dark ground."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Parts = Mapping[str, Mapping[str, Any]]

_GREY = "#7a828e"
_COLOURS = ("#2f81f7", "#d2741a", "#2da44e", "#bf4b8a", "#8250df", "#a08500")
_GROWN = (
    "a click on Push",
    "a webhook",
    "page: all integrations",
    "page: Links, the first 50",
    "API: all Links, the last",
)
_STYLE = {
    "svg.hashsalt": "keepstep",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _GREY,
    "axes.labelcolor": _GREY,
    "axes.edgecolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _GREY,
    "grid.alpha": 0.25,
    "axes.prop_cycle": mpl.cycler(color=_COLOURS),
}


def draw_all(parts: Parts, folder: Path) -> None:
    """Those whose parts were measured."""
    for name, needed, draw in (
        ("load.svg", "Load", _load),
        ("latency.svg", "Edit to change, feature to ticket", _latency),
        ("workers.svg", "Workers", _workers),
        ("growth.svg", "Growth", _growth),
    ):
        if needed in parts:
            _draw(folder / name, draw, parts)


def _draw(file: Path, draw: Callable[[Axes, Parts], None], parts: Parts) -> None:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7, 3.8), layout="constrained")
        axes = figure.add_subplot()
        draw(axes, parts)
        figure.legend(loc="outside upper center", ncols=2, frameon=False, labelcolor=_GREY)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def _load(axes: Axes, parts: Parts) -> None:
    for each in parts["Load"]["figures"]:
        what = each["name"].removeprefix("webhooks of ").partition(",")[0]
        (line,) = axes.plot(each["rate"], each["p50"], marker="o", label=f"{what}, p50")
        axes.plot(
            each["rate"], each["p99"], marker="o", linestyle=":", color=line.get_color(), label=f"{what}, p99"
        )
    axes.axhline(5000, color=_GREY, linewidth=0.8)
    axes.set(yscale="log", xlabel="webhooks a second", ylabel="answer, ms (line: Productboard's limit)")


def _latency(axes: Axes, parts: Parts) -> None:
    ways = [title for title in parts if title.startswith("Edit to change")]
    for number, title in enumerate(ways):
        whole = next(each for each in parts[title]["figures"] if "to the write" in each["name"])
        shares = [share for share in ("p50", "p95", "p99") if share in whole]
        places = [at + number * 0.35 for at in range(len(shares))]
        bars = axes.bar(
            places, [sorted(whole[share])[len(whole[share]) // 2] for share in shares], 0.3, label=title[16:]
        )
        axes.bar_label(bars, fmt="%.0f", color=_GREY)
        axes.set_xticks([at + 0.17 for at in range(len(shares))], shares)
    axes.set(ylabel="from an edit to the change, ms")


def _workers(axes: Axes, parts: Parts) -> None:
    found = next(each for each in parts["Workers"]["figures"] if "syncs" in each)
    for what in ("empty jobs", "syncs"):
        bars = axes.bar(
            [int(each) + (0.2 if what == "syncs" else -0.2) for each in found[what]],
            list(found[what].values()),
            0.38,
            label=what,
        )
        axes.bar_label(bars, fmt="%.0f", color=_GREY)
    axes.set_xticks([int(each) for each in found["syncs"]])
    axes.set(xlabel="workers", ylabel="a second")


def _growth(axes: Axes, parts: Parts) -> None:
    for each in parts["Growth"]["figures"]:
        if "by" in each and each["name"].startswith(_GROWN):
            sizes = [int(size.replace(",", "")) for size in each["by"]]
            axes.plot(sizes, list(each["by"].values()), marker="o", label=each["name"])
    axes.set(xscale="log", xlabel="Links", ylabel="ms")
    axes.set_ylim(bottom=0)
