"""Views of the notebook on respondents: a simulated survey of a region's units, its truth known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.data.package import Dataset
from evaluation.data.slices import code_of
from evaluation.design import candidates
from evaluation.panel.survey import normal_quantile
from evaluation.report import protocol
from evaluation.report.blocks import Block, Items, Paragraph
from evaluation.report.page import View, Writer, table
from evaluation.report.protocol import POINT, Sheet
from evaluation.survey import areas, rates, respondents, simulate, weights

# Points that the web adds in the simulation: what a comparison of modes should find.
WEB = 2.0
SHOWN = 12


@dataclass(frozen=True, eq=False)
class Survey:
    """One simulated survey: ``frame`` of respondents and the ``made`` population they are from."""

    dataset: Dataset
    language: str
    region: str
    cutoff: float
    seed: int
    made: simulate.Population
    frame: pd.DataFrame

    @property
    def writer(self) -> Writer:
        """A writer that has written nothing: each view has numbers of its own."""
        return Writer(self.dataset, self.language)

    @property
    def asked(self) -> rates.Asked:
        return rates.Asked((self.cutoff,))

    def opened(self) -> respondents.Respondents:
        return respondents.of_frame(
            self.frame, respondents.Plan({}, by=("county", "sex", "education"))
        )

    def shares(self, by: str) -> pd.DataFrame:
        """Shares in percent by one column, on that index."""
        with self.opened() as sample:
            found = rates.rates(sample, [by], self.asked)
        found["status"] = rates.presentation(found)
        found = found[found["measure"] != "mean"].set_index(by)
        return found.assign(**{c: 100 * found[c] for c in ("estimate", "se", "low", "high")})


def survey(
    dataset: Dataset, region: str, language: str, *, units: int, take: int, cutoff: float, seed: int
) -> Survey:
    """Simulate a survey of the finest units below a region.

    Parameters
    ----------
    units, take : primary units in each of these, at least 2, and people in each. cutoff : points.

    Raises
    ------
    KepuError : an unknown region or language, no unit below it, or fewer than 2 primary units.
    """
    protocol.check_language(language)
    candidates.power.require(units >= 2, f"An error needs 2 primary units; 'units' is {units}.")
    region = code_of(dataset, region)
    finest = candidates.finest(dataset, region)
    codes = sorted(candidates.below(dataset, region)[finest])
    parents = dataset.regions.set_index("code")["parent_code"]
    population = simulate.population(parents.reindex(codes), seed)
    made = simulate.Population(population.strata, population.units, WEB)
    frame = simulate.draw(made, units, take, seed + 1).drop(columns="fpc")
    frame["county"] = frame["stratum"]
    return Survey(dataset, language, region, cutoff, seed, made, frame)


def _view(own: Survey, *blocks: Block) -> View:
    return View(blocks, Paragraph(own.writer.t("surveying.simulated"), "simulated"))


def _true_of_units(own: Survey) -> pd.Series:
    """True share of each of the finest units, in percent, with the web's points in."""
    high, plain = own.made.share(own.cutoff - WEB), own.made.share(own.cutoff)
    return 100 * (simulate.WEB * high + (1 - simulate.WEB) * plain)


def _true(own: Survey) -> pd.Series:
    """The same of each region above them."""
    strata = own.made.strata.assign(share=_true_of_units(own).to_numpy())
    weighted = (strata["share"] * strata["people"]).groupby(strata["region"]).sum()
    return weighted / strata.groupby("region")["people"].sum()


def leagues(own: Survey) -> View:
    """Rate, interval, design effect and verdict of each region above the finest, and its truth."""
    w, found, true = own.writer, own.shares("region"), _true(own)
    inside = true.between(found["low"], found["high"])
    rows = [
        (w.name(code), w.number(f"{code}.rate", r["estimate"], "percent", 1),
         w.interval(f"{code}.rate", r["low"], r["high"], "percent", 1),
         w.number(f"{code}.true", true[code], "percent", 1), w.number(f"{code}.n", r["n"], "", 0),
         w.number(f"{code}.deff", r["deff"], "", 2), w.t(f"surveying.{r['status']}"))
        for code, r in found.iterrows()
    ]  # fmt: skip
    counted = w.numbers("leagues", inside=inside.sum(), all=len(found))
    names = ("region", "rate", "survey_interval", "true_rate", "asked", "deff", "may_publish")
    caption = w.t("surveying.leagues.caption", cutoff=w.number("cutoff", own.cutoff, "", 0))
    lead = Paragraph(w.t("surveying.leagues", **counted))
    return _view(own, lead, table(Sheet(None, w), caption, names, rows, (1, 2, 3, 4, 5)))


def modes(own: Survey) -> View:
    """Mean score of the web less that of interviews; units that have both give a covariance."""
    w = own.writer
    with own.opened() as sample:
        found = rates.differences(sample, [], "mode", ("face_to_face", "web"), own.asked)
    row = found[found["measure"] == "mean"].iloc[0]
    return _view(own, Paragraph(w.t(
        "surveying.modes", gap=w.number("gap", row["estimate"], "", 2, signed=True),
        interval=w.interval("gap", row["low"], row["high"], "", 2),
        true=w.number("gap.true", WEB, "", 1),
    )))  # fmt: skip


def margins(own: Survey) -> View:
    """The share before and after weights are fitted to the people of each sex and education."""
    w, people = own.writer, own.made.strata["people"].sum()
    tables = [
        pd.DataFrame({name: labels, "total": np.array(chances) * people})
        for name, (labels, chances, _) in simulate.GROUPS.items() if name in ("sex", "education")
    ]  # fmt: skip
    rows = []
    with own.opened() as sample:
        for key, used in (("plain", sample), ("fitted", weights.rake(sample, tables))):
            share = rates.rates(used, [], own.asked).iloc[0]
            effective = weights.diagnose(used)["effective"].iloc[0]
            rows.append((
                w.t(f"surveying.{key}"),
                w.number(f"{key}.rate", 100 * share["estimate"], "percent", 2),
                w.number(f"{key}.se", 100 * share["se"], POINT, 2),
                w.number(f"{key}.effective", effective, "", 0),
            ))  # fmt: skip
    names = ("weights", "rate", "standard_error", "effective_sample")
    body = table(Sheet(None, w), w.t("surveying.margins.caption"), names, rows, (1, 2, 3))
    return _view(own, Paragraph(w.t("surveying.margins")), body)


def smoothed(own: Survey, draws: int) -> tuple[areas.Smoothed, pd.Series]:
    """Rates of the finest units drawn towards a covariate, and their truth, in percent."""
    found, index = own.shares("county"), own.made.strata.set_index("stratum")
    # Nobody or everybody in a unit: the error of the average unit stands in.
    typical = float(np.sqrt((found["se"] ** 2).mean()))
    se = found["se"].where(found["se"] > 0, typical)
    rng = np.random.default_rng(own.seed)
    hint = index["level"].reindex(found.index) + rng.normal(0, 2, len(found))
    made = areas.smooth(
        found["estimate"], se, pd.DataFrame({"schooling": hint}),
        index["people"].reindex(found.index), draws=draws, seed=own.seed,
    )  # fmt: skip
    return made, _true_of_units(own).reindex(found.index)


def counties(own: Survey, draws: int) -> View:
    """Direct, synthetic and combined rates of the finest units beside the truth."""
    w = own.writer
    made, true = smoothed(own, draws)
    f, z = made.frame, normal_quantile(0.95)
    rows = [
        (w.name(code), *(w.number(f"{code}.{c}", r[c], "percent", 1)
                         for c in ("direct", "synthetic", "benchmarked")),
         w.interval(f"{code}.benchmarked", r["low"], r["high"], "percent", 1),
         w.interval(f"{code}.rank", r["rank_low"], r["rank_high"], "", 0),
         w.number(f"{code}.true", true[code], "percent", 1))
        for code, r in f.head(SHOWN).iterrows()
    ]  # fmt: skip
    direct, used = ((f[c] - true).pow(2).mean() ** 0.5 for c in ("direct", "benchmarked"))
    lead = Paragraph(w.t(
        "surveying.counties", units=w.level(candidates.finest(own.dataset, own.region), True),
        direct=w.number("direct.error", direct, POINT, 1),
        combined=w.number("combined.error", used, POINT, 1),
        width=w.number("direct.half", z * f["direct_se"].median(), POINT, 1),
    ))  # fmt: skip
    names = ("region", "direct", "synthetic", "combined", "survey_interval", "ranks", "true_rate")
    caption = w.t(
        "surveying.counties.caption", **w.numbers("counties", shown=len(rows), all=len(f))
    )
    return _view(own, lead, table(Sheet(None, w), caption, names, rows, (1, 2, 3, 4, 5, 6)))


def unknown(own: Survey) -> View:
    """What no standard error covers."""
    w = own.writer
    return _view(own, Items(tuple(
        w.t(f"surveying.unknown.{key}") for key in ("frame", "mode", "smoothed")
    )))  # fmt: skip
