"""How often intervals hold the truth: leagues and counties from respondents, smoothed areas.

Respondents are drawn from populations of 12 leagues and 103 counties, stratified and clustered;
each sample is of a population of its own. Areas are drawn from the model of Fay and Herriot, and
intervals are those of the benchmarked rates. Shares come with the Monte Carlo standard error, for
areas clustered by population.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from evaluation.survey import areas, rates, respondents, simulate

LEAGUES, COUNTIES = 12, 103
UNITS, TAKE, AREAS = 4, 10, 40


def line(name: str, inside: np.ndarray) -> None:
    """Print the share of ``inside`` (draws, areas) with its error over draws."""
    each = np.nanmean(inside, axis=1)
    error = each.std(ddof=1) / np.sqrt(len(each))
    print(f"{name}: {np.nanmean(inside):.1%} of {np.isfinite(inside).sum():,} (error {error:.1%})",
          flush=True)  # fmt: skip


def respondents_(samples: int) -> None:
    """Coverage of direct rates, three intervals, by league and by county."""
    counties = pd.Series(
        [f"L{i % LEAGUES:02d}" for i in range(COUNTIES)], [f"C{i:03d}" for i in range(COUNTIES)]
    )
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for seed in range(samples):
        made = simulate.population(counties, seed)
        people, truth = made.strata["people"].to_numpy(), made.share()
        whole = pd.Series(truth.to_numpy() * people).groupby(counties.to_numpy()).sum()
        league = whole / pd.Series(people).groupby(counties.to_numpy()).sum()
        frame = simulate.draw(made, UNITS, TAKE, seed + samples).drop(columns="fpc")
        frame["county"] = frame["stratum"]
        with respondents.of_frame(frame, respondents.Plan({}, by=("county",))) as sample:
            for by, true in (("region", league), ("county", truth)):
                for interval in rates.INTERVALS:
                    table = rates.rates(sample, [by], rates.Asked((70.0,), interval))
                    table = table[table["measure"] == "share_70"].set_index(by)
                    inside = true.between(table["low"], table["high"]).astype(float)
                    inside[table["low"].isna()] = np.nan
                    found.setdefault((by, interval), []).append(inside.to_numpy())
    for (by, interval), inside in found.items():
        line(f"{by}, {interval}, {samples} samples", np.array(inside))


def smoothed(populations: int, draws: int) -> None:
    """Coverage of benchmarked rates of areas."""
    inside = []
    for seed in range(populations):
        rng = np.random.default_rng(seed)
        index = pd.Index([f"A{i}" for i in range(AREAS)])
        x, se = rng.normal(0, 1, AREAS), rng.uniform(1.5, 4, AREAS)
        truth = 20 + 2 * x + rng.normal(0, 2, AREAS)
        made = areas.smooth(
            pd.Series(truth + rng.normal(0, se), index), pd.Series(se, index),
            pd.DataFrame({"x": x}, index), pd.Series(rng.uniform(1, 5, AREAS), index),
            draws=draws, seed=seed,
        ).frame  # fmt: skip
        inside.append(((made["low"] <= truth) & (truth <= made["high"])).to_numpy(float))
    line(f"areas, benchmarked, {populations} populations", np.array(inside))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="of respondents")
    parser.add_argument("--populations", type=int, default=500, help="of areas")
    parser.add_argument("--draws", type=int, default=99, help="of each bootstrap")
    given = parser.parse_args()
    respondents_(given.samples)
    smoothed(given.populations, given.draws)


if __name__ == "__main__":
    main()
