"""``kepu estimate``, ``calibrate`` and ``recover``: one estimate, and how far to trust a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

DATA = Annotated[Path | None, typer.Option(help="Folder of the data package.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]
SEED = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")]
# Those in parameters.py's notebooks; a seed is part of a published number.
DRAWS, START = 9999, 20250101


def estimate(
    model: Annotated[str, typer.Option(help="Name of a model.")] = "gain_regression",
    dose: Annotated[list[str] | None, typer.Option(help="Doses; the first is reported.")] = None,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws.")] = DRAWS,
    seed: SEED = START,
    json_: JSON = False,
    data: DATA = None,
) -> None:
    """Estimate one model on the provincial panel of a data package."""
    from evaluation import model_panels, models

    entry = models.named(model)  # refuses an unknown model before the data are read
    dataset = _load(data)
    doses = _doses(dataset, dose) if dose or entry.doses else []
    frame = model_panels.panels(dataset).of(model)
    result = model_panels.fit_doses(model, frame, doses, draws=draws, seed=seed)
    if json_:
        typer.echo(result.to_json())
        return
    _print(_rows(result))
    if dataset.simulated:
        typer.echo("simulated data: nothing here was observed")
    typer.echo(result.summary("en"))
    for line in _beside(result):
        typer.echo(line)


def calibrate(
    design: Annotated[str, typer.Option(help="Regions x waves, e.g. 31x5, or actual.")] = "31x5",
    panels: Annotated[int, typer.Option(min=1, max=1_000_000, help="Simulated panels.")] = 2000,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws in each.")] = 999,
    treated: Annotated[int, typer.Option(min=0, help="Regions with a 0/1 dose.")] = 0,
    dose: Annotated[str, typer.Option(help="Dose of the actual panel.")] = "facility",
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes.")] = None,
    seed: SEED = START,
    json_: JSON = False,
    data: DATA = None,
) -> None:
    """Count how often interval and p-value are wrong in simulated panels of a design."""
    from evaluation import calibrate as engine
    from evaluation import model_panels, scenarios

    if design == "actual":
        dataset = _load(data)
        _doses(dataset, [dose])
        scenario = scenarios.actual(model_panels.panels(dataset), dose)
    else:
        scenario = scenarios.generated(*scenarios.parse(design), treated=treated)
    run = {"panels": panels, "draws": draws, "seed": seed, "workers": workers}
    found = engine.calibrate(scenario, **run)
    if json_:
        typer.echo(json.dumps(found.record(), allow_nan=False))
        return
    typer.echo(
        f"simulated {found.design}: {found.regions} regions, {found.observations} gains, "
        f"{found.panels:,} panels of {found.draws:,} draws, nominal level {found.level:g}"
    )
    if found.rates:
        _print(_shares(found))
    for reason, count in found.refusals.items():
        typer.echo(f"{count:,} of {found.panels:,} panels: {reason}")


def recover(
    model: Annotated[list[str] | None, typer.Option(help="Models; by default all.")] = None,
    panels: Annotated[int, typer.Option(min=2, max=1_000_000, help="Panels for each.")] = 500,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws in each.")] = 199,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes.")] = None,
    seed: SEED = START,
) -> None:
    """Print bias and coverage of each model on simulated panels with a known truth."""
    import joblib

    from evaluation import recovery, recovery_panels

    jobs = [
        joblib.delayed(recovery.recover)(name, panels, seed, draws=draws)
        for name in model or recovery_panels.RUNGS
    ]
    found = joblib.Parallel(n_jobs=workers or -1)(jobs)
    head = ["model", "panels", "refused", "bias", "its error", "coverage", "95 % interval"]
    rows = [
        [
            item.model, f"{item.panels}", f"{item.refused}", f"{item.bias:+.3f}",
            f"{item.bias_error:.3f}", f"{item.coverage:.1%}",
            f"{item.coverage_low:.1%} to {item.coverage_high:.1%}",
        ]
        for item in found
    ]  # fmt: skip
    typer.echo(f"simulated panels, {draws} draws, nominal coverage {found[0].level:.0%}")
    _print((head, rows))


def _load(data: Path | None) -> Any:
    from evaluation import data as packages
    from evaluation.project import find_root

    return packages.load(find_root() / "data" if data is None else data)


def _doses(dataset: Any, chosen: list[str] | None) -> list[str]:
    """The doses asked for, by default the first; an unknown one is refused."""
    from evaluation.errors import KepuError

    known = list(dataset.doses["dose"])
    chosen = chosen or known[:1]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise KepuError(f"Unknown dose '{unknown[0]}'. Known doses: {', '.join(known)}.")
    return chosen


def _print(rows: tuple[Any, Any]) -> None:
    from evaluation import screen

    screen.console().print(screen.table(*rows))


def _rows(result: Any) -> tuple[list[str], list[list[str]]]:
    """The coefficients, numbers rounded to the size of their errors."""
    from evaluation.numerals import chance, rounded

    rows = []
    for row in result.coefficients:
        numbers = [rounded(row[name], row["se"]) for name in ("estimate", "se")]
        tested = [rounded(row[name], row["se"]) for name in ("low", "high") if name in row]
        p = [chance(row["p"]).removeprefix("= ")] if "p" in row else []
        rows.append([row["term"], *numbers, *(tested or ["", ""]), *(p or [""])])
    return ["term", "estimate", "se", "low", "high", "p"], rows


def _shares(found: Any) -> tuple[list[str], list[list[str]]]:
    """Rates in percent with their Monte Carlo intervals."""
    rows = [
        [row["procedure"], row["measure"], f"{row['share']:.1%}",
         f"{row['low']:.1%} to {row['high']:.1%}", f"{row['panels']:,}"]
        for row in found.rates
    ]  # fmt: skip
    return ["procedure", "measure", "share", "Monte Carlo 95%", "panels"], rows


def _beside(result: Any) -> list[str]:
    """One line each for CRV3, randomisation inference and the detectable effect, where known."""
    from evaluation.numerals import chance, rounded

    lines, details = [], result.details
    if "crv3" in details:
        low, high = (rounded(details["crv3"][end], result.se) for end in ("low", "high"))
        lines.append(f"CRV3: {low} to {high}, p {chance(details['crv3']['p'])}")
    if "ri" in details:
        told = details["ri"].get("reason") or f"p {chance(details['ri']['p'])}"
        lines.append(f"randomisation inference: {told}")
    if "mde_simulation" in details:
        power = details["mde_simulation"]
        size, error = (rounded(power[name], result.se) for name in ("effect", "error"))
        lines.append(f"detectable with {power['target']:.0%} power: {size} (± {error})")
    if "romano_wolf" in details:
        adjusted = (f"{dose} p {chance(p)}" for dose, p in details["romano_wolf"].items())
        lines.append(f"Romano-Wolf: {', '.join(adjusted)}")
    return lines
