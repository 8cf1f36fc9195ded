"""A picture of the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.chart import MODEL_COLOUR, PEER_COLOUR, save
from benchmarks.serving_report.results import (
    BATCHING,
    ECHO,
    EXACT,
    IN_PROCESS,
    PORTABLE,
    SCANN,
    SERVER,
    IndexResult,
    LoadResult,
    Results,
    SwapResult,
)

COLOURS = {
    ECHO: PEER_COLOUR,
    IN_PROCESS: "#7d8590",
    SERVER: MODEL_COLOUR,
    BATCHING: "#e07b39",
    EXACT: PEER_COLOUR,
    SCANN: MODEL_COLOUR,
    PORTABLE: "#e07b39",
}
INCHES_A_PANEL, INCHES_HIGH = 4.2, 3.6

Panel = Callable[[Axes], None]


def draw(results: Results, path: Path) -> None:
    """Draws a panel for each thing that was measured; the file is either whole or not there."""
    panels = [*_load_panels(results.load), *_swap_panels(results.swaps), *_index_panels(results.index)]
    figure = Figure(figsize=(INCHES_A_PANEL * len(panels), INCHES_HIGH))
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel(axes)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    save(figure, path)


def _load_panels(results: Sequence[LoadResult]) -> list[Panel]:
    panels: list[Panel] = []
    for callers in sorted({each.callers for each in results}):
        chosen = [each for each in results if each.callers == callers]
        panels.append(lambda axes, chosen=chosen: _latencies(axes, chosen))  # type: ignore[misc]
    if results:
        panels.append(lambda axes: _rates(axes, results))
    return panels


def _latencies(axes: Axes, results: Sequence[LoadResult]) -> None:
    for place, each in enumerate(results):
        latencies = each.latencies
        axes.bar(place, latencies.p50, color=COLOURS[each.target])
        axes.plot([place, place], [latencies.p50, latencies.p99], color="black", linewidth=1)
        axes.annotate(f"{latencies.p50:.2f}", (place, latencies.p50), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(results)), [_short(each.target) for each in results], fontsize=8)
    axes.set_title(f"ms, callers: {results[0].callers}; p50, line to p99", fontsize=10)
    axes.set_ylim(bottom=0)


def _rates(axes: Axes, results: Sequence[LoadResult]) -> None:
    for target in dict.fromkeys(each.target for each in results):
        chosen = sorted((each for each in results if each.target == target), key=lambda each: each.callers)
        callers = [each.callers for each in chosen]
        rates = [each.latencies.per_second for each in chosen]
        axes.plot(callers, rates, marker="o", color=COLOURS[target], label=target)
    axes.set_title("requests/s by callers", fontsize=10)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, frameon=False)


def _swap_panels(result: SwapResult | None) -> list[Panel]:
    if result is None:
        return []

    def panel(axes: Axes) -> None:
        phases = (("calm", result.calm), ("swapping", result.swapping))
        for place, (_, each) in enumerate(phases):
            axes.bar(place - 0.2, each.p50, 0.4, color=PEER_COLOUR, label="" if place else "p50")
            axes.bar(place + 0.2, each.p99, 0.4, color=MODEL_COLOUR, label="" if place else "p99")
        axes.set_xticks(range(2), [name for name, _ in phases], fontsize=8)
        failures = result.calm.failures + result.swapping.failures
        axes.set_title(f"ms, {len(result.seconds)} swaps, {failures} failed", fontsize=10)
        axes.legend(fontsize=7, frameon=False)

    return [panel]


def _index_panels(results: Sequence[IndexResult]) -> list[Panel]:
    if not results:
        return []

    def panel(axes: Axes) -> None:
        for kind in dict.fromkeys(each.kind for each in results):
            chosen = [each for each in results if each.kind == kind]
            sizes, rates = [each.size for each in chosen], [each.per_second for each in chosen]
            axes.plot(sizes, rates, marker="o", color=COLOURS[kind], label=kind)
            for each in chosen:
                axes.annotate(f"{each.recall:.3f}", (each.size, each.per_second), fontsize=7)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title("queries/s by items, with recall@10", fontsize=10)
        axes.legend(fontsize=7, frameon=False)

    return [panel]


def _short(target: str) -> str:
    return target.replace(" ", "\n")
