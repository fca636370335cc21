"""`python -m bench [FIGURE]`: measure all figures or one, print the table, and keep it in `.local/bench.json`."""

import sys

from rich.console import Console

from bench.engine import measure_engine
from bench.figures import Figure, Found, Goal, keep, show
from bench.terragrunt_ratios import measure_applies, measure_deployments, measure_plans
from local.places import DEFAULT_DATA_DIR
from starter.ending import finish

FIGURES = (
    Figure(
        "plan_ratio",
        "pull request opened to last plan comment, in times of `run --all plan`",
        "times",
        Goal(1.05),
        measure_plans,
    ),
    Figure(
        "apply_ratio",
        "`terrateam apply` to last apply comment, in times of `run --all apply`",
        "times",
        Goal(1.15),
        measure_applies,
    ),
    Figure(
        "deployment_ratio",
        "first deployment of dev's five units, in times of `run --all apply`",
        "times",
        Goal(1.15),
        measure_deployments,
    ),
    Figure(
        "engine_ratio",
        "pull requests a second, by bare workflows a second",
        "times",
        Goal(0.6, at_least=True),
        measure_engine,
    ),
)


def main(arguments: list[str]) -> int:
    """0 once all has been measured, whether or not the goals hold: it is a measurement and no test."""
    names = [figure.name for figure in FIGURES]
    unknown = [name for name in arguments if name not in names]
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if unknown:
        console.print(f"There is no figure {unknown[0]!r}. There are: {', '.join(names)}.")
        return 2
    found: dict[Figure, Found] = {}
    for figure in FIGURES:
        if not arguments or figure.name in arguments:
            console.print(f"{figure.name}: {figure.says}", style="bold")
            found[figure] = figure.measure(console)
            keep(DEFAULT_DATA_DIR / "bench.json", {figure: found[figure]})
    console.print()
    show(console, found)
    return 0


if __name__ == "__main__":
    finish(main(sys.argv[1:]))
