"""Views of the notebook on respondents: a simulated survey of a region's units, its truth known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evaluation.base.text import check_language
from evaluation.data.package import Dataset
from evaluation.data.slices import code_of
from evaluation.evidence.design import candidates
from evaluation.evidence.design import sample as sizes
from evaluation.report.blocks import Block, Items, Paragraph, Table
from evaluation.report.page import Opened, View, Writer, table
from evaluation.report.planner import POINT, Sheet
from evaluation.survey import (
    areas,
    items,
    rates,
    respondents,
    simulate,
    weights,
)
from evaluation.survey.standing import normal_quantile

# Points that the web adds in the simulation: what a comparison of modes should find.
WEB = 2.0
SHOWN = 12
# Waves of the simulation, years apart, points gained from each to the next.
YEARS, GAINED = (0.0, 2.0, 4.0), 1.5
# Two instruments: items of each and in both, and the gain between them in standard deviations.
ITEMS, COMMON, PEOPLE, BETTER = 20, 12, 1500, 0.3
# What a next survey is to reach, points: each region, and a group of this share of adults in each.
MARGIN, GROUP, GROUP_MARGIN = 3.0, "rural", 5.0


@dataclass(frozen=True, eq=False)
class Survey(Opened):
    """One simulated survey: ``frame`` of respondents and the ``made`` population they are from."""

    dataset: Dataset
    language: str
    region: str
    cutoff: float
    seed: int
    made: simulate.Population
    frame: pd.DataFrame

    @property
    def asked(self) -> rates.Asked:
        return rates.Asked((self.cutoff,))

    def opened(self) -> respondents.Respondents:
        plan = respondents.Plan({}, by=("county", "sex", "education"))
        return respondents.of_frame(self.frame, plan)

    def all(self) -> pd.Series:
        """The share of everybody, a fraction."""
        with self.opened() as sample:
            return rates.rates(sample, [], self.asked).iloc[0]

    def shares(self, by: str) -> pd.DataFrame:
        """Shares in percent by one column, on that index."""
        with self.opened() as sample:
            found = rates.rates(sample, [by], self.asked)
        found["status"] = rates.presentation(found)
        found = found[found["measure"] != "mean"].set_index(by)
        return found.assign(**{c: 100 * found[c] for c in ("estimate", "se", "low", "high")})

    def counties(self) -> tuple[pd.DataFrame, pd.Series]:
        """Shares of the finest units, and errors: where nobody or everybody is, the average's."""
        found = self.shares("county")
        typical = float(np.sqrt((found["se"] ** 2).mean()))
        return found, found["se"].where(found["se"] > 0, typical)


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
    check_language(language)
    candidates.power.require(units >= 2, f"An error needs 2 primary units; 'units' is {units}.")
    region = code_of(dataset, region)
    finest = candidates.finest(dataset, region)
    codes = sorted(candidates.below(dataset, region)[finest])
    parents = dataset.regions.set_index("code")["parent_code"]
    population = simulate.population(parents.reindex(codes), seed)
    made = simulate.Population(population.strata, population.units, WEB)
    frame = _drawn(made, units, take, seed + 1)
    return Survey(dataset, language, region, cutoff, seed, made, frame)


def _drawn(made: simulate.Population, units: int, take: int, seed: int) -> pd.DataFrame:
    frame = simulate.draw(made, units, take, seed).drop(columns="fpc")
    return frame.assign(county=frame["stratum"])


def _view(own: Survey, *blocks: Block) -> View:
    return View(blocks, Paragraph(own.writer.t("surveying.simulated"), "simulated"))


def _table(
    w: Writer, name: str, columns: tuple[str, ...], rows: list, numeric: range, **values: object
) -> Table:
    return table(Sheet(w), w.t(f"surveying.{name}.caption", **values), columns, rows, numeric)


def _true_of_units(own: Survey) -> pd.Series:
    """True share of each of the finest units, in percent, with the web's points in."""
    high, plain = own.made.share(own.cutoff - WEB), own.made.share(own.cutoff)
    return 100 * (simulate.WEB * high + (1 - simulate.WEB) * plain)


def leagues(own: Survey) -> View:
    """Rate, interval, design effect and verdict of each region above the finest, and its truth."""
    w, found = own.writer, own.shares("region")
    strata = own.made.strata.assign(share=_true_of_units(own).to_numpy())
    weighted = (strata["share"] * strata["people"]).groupby(strata["region"]).sum()
    true = weighted / strata.groupby("region")["people"].sum()
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
    cutoff = w.number("cutoff", own.cutoff, "", 0)
    body = _table(w, "leagues", names, rows, range(1, 6), cutoff=cutoff)
    return _view(own, Paragraph(w.t("surveying.leagues", **counted)), body)


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
    body = _table(w, "margins", names, rows, range(1, 4))
    return _view(own, Paragraph(w.t("surveying.margins")), body)


def counties(own: Survey, draws: int) -> View:
    """Direct, synthetic and combined rates of the finest units beside the truth.

    The combined are drawn towards a covariate.
    """
    w, (found, se), rng = own.writer, own.counties(), np.random.default_rng(own.seed)
    strata = own.made.strata.set_index("stratum").reindex(found.index)
    hint = pd.DataFrame({"schooling": strata["level"] + rng.normal(0, 2, len(found))})
    true, options = _true_of_units(own).reindex(found.index), {"draws": draws, "seed": own.seed}
    made = areas.smooth(found["estimate"], se, hint, strata["people"], **options)
    f, z = made.frame.assign(multilevel=100 * stratified(own).frame["rate"]), normal_quantile(0.95)
    rows = [
        (w.name(code), *(w.number(f"{code}.{c}", r[c], "percent", 1)
                         for c in ("direct", "synthetic", "benchmarked", "multilevel")),
         w.interval(f"{code}.benchmarked", r["low"], r["high"], "percent", 1),
         w.interval(f"{code}.rank", r["rank_low"], r["rank_high"], "", 0),
         w.number(f"{code}.true", true[code], "percent", 1))
        for code, r in f.head(SHOWN).iterrows()
    ]  # fmt: skip
    direct, used, other = (
        (f[c] - true).pow(2).mean() ** 0.5 for c in ("direct", "benchmarked", "multilevel")
    )
    lead = Paragraph(w.t(
        "surveying.counties", units=w.level(candidates.finest(own.dataset, own.region), True),
        direct=w.number("direct.error", direct, POINT, 1),
        combined=w.number("combined.error", used, POINT, 1),
        multilevel=w.number("multilevel.error", other, POINT, 1),
        width=w.number("direct.half", z * f["direct_se"].median(), POINT, 1),
    ))  # fmt: skip
    names = ("region", "direct", "synthetic", "combined", "multilevel", "survey_interval", "ranks",
             "true_rate")  # fmt: skip
    counts = w.numbers("counties", shown=len(rows), all=len(f))
    return _view(own, lead, _table(w, "counties", names, rows, range(1, 8), **counts))


def stratified(own: Survey) -> areas.Poststratified:
    """Rates of the finest units by multilevel regression, averaged over their census."""
    by = ("county", "education")
    with own.opened() as sample:
        found = areas.cells(sample, by, own.cutoff, own.all()["deff"])
    labels, chances, _ = simulate.GROUPS["education"]
    strata = own.made.strata
    census = pd.DataFrame({
        "county": strata["stratum"].repeat(len(labels)), "education": [*labels] * len(strata),
        "people": np.outer(strata["people"], chances).ravel(),
    })  # fmt: skip
    return areas.poststratify(found, census, by)


def together(own: Survey, draws: int) -> View:
    """Errors of the finest units' rates over three waves: direct, and smoothed together."""
    w, parts = own.writer, []
    for k, year in enumerate(YEARS):
        strata = own.made.strata.assign(level=own.made.strata["level"] + GAINED * k)
        made = simulate.Population(strata, own.made.units)
        size = own.frame.groupby("stratum")["psu"].nunique().iloc[0]
        take = len(own.frame) // (size * len(strata))
        wave = replace(own, made=made, frame=_drawn(made, int(size), int(take), own.seed + 10 + k))
        (f, se), people = wave.counties(), strata.set_index("stratum")["people"]
        parts.append(pd.DataFrame({
            "area": f.index, "time": year, "wave": year, "direct": f["estimate"], "se": se,
            "share": people.reindex(f.index),
            "truth": 100 * made.share(own.cutoff).reindex(f.index),
        }))  # fmt: skip
    given = pd.concat(parts, ignore_index=True)
    fit = areas.smooth_waves(given, ["wave"], draws=draws, seed=own.seed)
    inside = given["truth"].between(fit.frame["low"], fit.frame["high"]).mean()
    direct, used = ((fit.frame[c] - given["truth"]).pow(2).mean() ** 0.5
                    for c in ("direct", "benchmarked"))  # fmt: skip
    return _view(own, Paragraph(w.t(
        "surveying.together", waves=w.number("waves", len(YEARS), "", 0),
        units=w.level(candidates.finest(own.dataset, own.region), True),
        direct=w.number("waves.direct", direct, POINT, 1),
        combined=w.number("waves.combined", used, POINT, 1),
        inside=w.number("waves.inside", 100 * inside, "percent", 0),
    )))  # fmt: skip


def instruments(own: Survey) -> View:
    """The gain between two waves that had different questions, with the error of their link."""
    w, rng = own.writer, np.random.default_rng(own.seed)
    a, b = rng.uniform(0.7, 1.6, ITEMS), rng.normal(0, 1, ITEMS)
    tests = []
    for k, mean in enumerate((0.0, BETTER)):
        x = pd.DataFrame(simulate.answers(a, b, mean, PEOPLE, own.seed + k))
        own_items = [j if j < COMMON else f"{k}.{j}" for j in range(ITEMS)]
        tests.append(x.set_axis(own_items, axis=1))
    old, new = map(items.two_parameter, tests)
    # A mean of scores that are reliable to a share alpha.
    chance = sum(1 / (PEOPLE * items.alpha(x)) for x in tests) ** 0.5
    links = {"mean_sigma": items.mean_sigma(old["b"], new["b"]),
             "stocking_lord": items.stocking_lord(old, new),
             "haebara": items.haebara(old, new)}  # fmt: skip
    rows = []
    for key, link in links.items():
        gain, se = items.linked_gain(-link.shift, chance, link)
        rows.append((w.t(f"surveying.{key}"), *(
            w.number(f"{key}.{name}", value, "", 2)
            for name, value in (("gain", gain), ("link", link.error), ("se", se))
        )))  # fmt: skip
    lead = Paragraph(w.t(
        "surveying.instruments", **w.numbers("items", items=ITEMS, common=COMMON),
        true=w.number("true", BETTER, "", 1),
    ))  # fmt: skip
    names = ("link", "linked_gain", "linking_error", "standard_error")
    return _view(own, lead, _table(w, "instruments", names, rows, range(1, 4)))


def needed(own: Survey) -> View:
    """Respondents and primary units that a next survey needs in each region."""
    w, found, whole = own.writer, own.shares("region"), own.all()
    take = len(own.frame) / own.frame["psu"].nunique()
    icc = float(np.clip((whole["deff"] - 1) / (take - 1), 0, 0.99)) if take > 1 else 0.0
    asked = sizes.Survey(100 * whole["estimate"], MARGIN, take=take, icc=icc)
    people = own.made.strata.groupby("region")["people"].sum().reindex(found.index)
    labels, chances, _ = simulate.GROUPS["residence"]
    share = dict(zip(labels, chances, strict=True))[GROUP]
    rows = [
        (w.name(each.name), w.number(f"{each.name}.needed", each.sample.respondents, "", 0),
         w.number(f"{each.name}.primary", each.sample.primary, "", 0),
         w.t("surveying.group" if each.binding else "surveying.everyone"))
        for each in sizes.by_domain(asked, people.to_dict(), {GROUP: share}, GROUP_MARGIN)
    ]  # fmt: skip
    lead = Paragraph(w.t(
        "surveying.needed", margin=w.number("margin", MARGIN, POINT, 0),
        group=w.number("group", GROUP_MARGIN, POINT, 0), share=w.number("share", 100 * share,
        "percent", 0), deff=w.number("deff", asked.design_effect, "", 2),
    ))  # fmt: skip
    names = ("region", "needed", "primary", "binding")
    return _view(own, lead, _table(w, "needed", names, rows, range(1, 3)))


def unknown(own: Survey) -> View:
    """What no standard error covers."""
    keys = ("surveying.unknown.frame", "surveying.unknown.mode", "surveying.unknown.smoothed")
    return _view(own, Items(tuple(own.writer.t(key) for key in keys)))
