"""The panels the models read from one data package, their columns, and what a package lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import Result, Spoken, say, whole
from evaluation.data.package import INDEX, ITEMS, MIN_REGIONS, PEOPLE, SAMPLE, Dataset, by_year
from evaluation.models.columns import GAINS, LEVELS, Roles
from evaluation.survey import panel
from evaluation.survey.panel import attach, level_panel

# Columns of the panel of gains and of the panel of levels, by the kind of outcome a model has;
# what is held equal is declared by the package.
ROLES: dict[str, Roles] = {
    "gain": Roles(
        outcome="annual",
        doses=(),
        region="region_code",
        wave="interval",
        variance="annual_variance",
        spans=("wave_from", "wave_to", "annual_opening_variance"),
    ),
    "level": Roles(
        outcome="rate",
        doses=(),
        region="region_code",
        wave="wave",
        variance="variance",
    ),
}


@dataclass(frozen=True, repr=False)
class Panels(Spoken):
    """The panels of one data package, see :class:`evaluation.study.Study`.

    ``rates`` and ``gains`` hold all regions, in per cent and percentage points with their
    variances; ``provinces`` the gains, ``levels`` the rates of the panel with doses and covariates;
    ``controls`` the columns held equal, by the kind of outcome.
    """

    rates: pd.DataFrame
    gains: pd.DataFrame
    provinces: pd.DataFrame
    levels: pd.DataFrame
    controls: Mapping[str, tuple[str, ...]]

    def table(self) -> pd.DataFrame:
        """Rows, regions and columns of each panel: ``panel, rows, regions, columns``."""
        frames = {name: getattr(self, name) for name in ("rates", "gains", "provinces", "levels")}
        return pd.DataFrame(
            [
                (name, len(frame), frame["region_code"].nunique(), frame.shape[1])
                for name, frame in frames.items()
            ],
            columns=["panel", "rows", "regions", "columns"],
        )

    def summary(self, language: str = "en") -> str:
        """How much the panels hold, in one sentence."""
        counts = {
            "rates": len(self.rates), "gains": len(self.gains), "rows": len(self.provinces),
            "regions": self.provinces["region_code"].nunique(), "levels": len(self.levels),
        }  # fmt: skip
        return say("speak.panels", language, **{k: whole(v) for k, v in counts.items()})

    def __repr__(self) -> str:
        rows = (f"{row.rows} {row.panel}" for row in self.table().itertuples())
        return f"Panels({', '.join(rows)})"

    def of(self, model: str) -> pd.DataFrame:
        """The panel a registered model reads."""
        from evaluation.models.registry import named  # slow to import; the panels need none

        return self.provinces if named(model).outcome == "gain" else self.levels

    def fit(self, model: str, doses: Sequence[str] = (), **arguments: Any) -> Result:
        """Fit a model of doses, named as in ``doses.csv``, to the panel its outcome needs."""
        from evaluation.models.registry import fit

        part = roles(model, [f"log2_{dose}" for dose in doses], self.controls)
        return fit(model, self.of(model), **{**vars(part), **arguments})


def panels(dataset: Dataset, assumed: panel.Assumed | None = None) -> Panels:
    """Rates and gains of all regions, and the panels the models read."""
    rates = panel.rates(dataset, assumed)
    gains = panel.gains(rates, dataset.waves)
    regions = dataset.model_regions
    provinces = gains[gains["region_code"].isin(regions)].reset_index(drop=True)
    levels = level_panel(dataset, rates[rates["region_code"].isin(regions)])
    return Panels(rates, gains, attach(dataset, provinces), levels, dataset.controls)


def roles(model: str, doses: Sequence[str], controls: Mapping[str, tuple[str, ...]]) -> Roles:
    """Columns a registered model reads from ``provinces`` (gains) or ``levels``.

    ``doses`` are columns of the panel; ``controls`` those held equal, by the kind of outcome.
    """
    from evaluation.models.registry import named

    entry = named(model)
    if entry.outcome not in ROLES:
        raise KepuError(
            f"Model '{model}' needs an outcome of kind '{entry.outcome}'; no panel here has it."
        )
    held = controls[entry.outcome] if entry.doses else ()
    return replace(ROLES[entry.outcome], doses=doses, covariates=held)


NAMED = 6  # names listed before "and n more"


@dataclass(frozen=True)
class Readiness:
    """What the models can do with a package.

    Attributes
    ----------
    rows : one dose of one model a row, ``model, dose, rows, regions, enough`` : complete rows of
        the panel and whether their regions are enough. unread : indicators with figures that no
        model reads, ``indicator, facts``. gaps : sentences, each a gap and what filling it allows.
    """

    rows: pd.DataFrame
    unread: pd.DataFrame
    gaps: tuple[str, ...]

    def lines(self, dataset: Dataset) -> list[str]:
        """All of it as lines of text."""
        units = dataset.words("en")["units"]
        found = [f"models compare {len(dataset.model_regions)} {units}:"]
        for row in self.rows.itertuples():
            lack = "" if row.enough else f" (too few: {MIN_REGIONS} {units} are needed)"
            found.append(
                f"  {row.model}, {row.dose}: {row.rows} rows of {row.regions} {units}{lack}"
            )
        if len(self.unread):
            names = [f"{row.indicator} ({row.facts})" for row in self.unread.itertuples()]
            found.append(f"read by no model, only shown: {_listed(names)}")
        return [*found, *(f"missing: {gap}" for gap in self.gaps)]


def readiness(dataset: Dataset) -> Readiness:
    """Build the panels of a package and say what enters them, what does not, and why.

    A package whose panels cannot be built is told by the reason, as its only gap.
    """
    empty = pd.DataFrame(columns=["model", "dose", "rows", "regions", "enough"])
    try:
        frames = panels(dataset)
    except ModelError as error:
        return Readiness(empty, _unread(dataset), (str(error),))
    rows = pd.DataFrame(
        [
            {"model": model, "dose": dose, **_complete(frames, model, dose)}
            for model in (GAINS, LEVELS)
            for dose in dataset.doses["dose"]
        ],
        columns=empty.columns,
    )
    gaps = [*_rate_gaps(dataset, frames), *_input_gaps(dataset, frames), *_value_gaps(dataset)]
    return Readiness(rows, _unread(dataset), tuple(gaps))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _complete(frames: Panels, model: str, dose: str) -> dict[str, object]:
    held = frames.controls["gain" if model == GAINS else "level"]
    panel = frames.provinces if model == GAINS else frames.levels
    known = panel.dropna(subset=[f"log2_{dose}", *held])
    regions = known["region_code"].nunique()
    return {"rows": len(known), "regions": regions, "enough": regions >= MIN_REGIONS}


def _unread(dataset: Dataset) -> pd.DataFrame:
    """Indicators of the regions compared that no estimate reads, most figures first."""
    doses, facts = dataset.doses, dataset.facts
    inputs = {*doses["indicator"], *doses["denominator"], *dataset.conditions}
    read = {dataset.outcome, SAMPLE, PEOPLE, INDEX, *ITEMS, *inputs}
    own = facts[facts["region_code"].isin(dataset.model_regions) & ~facts["indicator"].isin(read)]
    counts = own["indicator"].value_counts()
    return counts.rename_axis("indicator").rename("facts").reset_index()


def _rate_gaps(dataset: Dataset, frames: Panels) -> Iterator[str]:
    """Surveyed rates: none, single ones, without a size of their sample."""
    units, regions = dataset.words("en")["units"], set(dataset.model_regions)
    rates = frames.rates[frames.rates["region_code"].isin(regions)]
    if rates.empty:
        yield f"surveyed rates ({dataset.outcome}) of {units}; without them nothing can be compared"
        return
    counts = rates["region_code"].value_counts().reindex(list(regions), fill_value=0)
    if few := sorted(counts.index[counts < 2]):
        yield f"a second surveyed rate of {_listed(few)}; two make a gain, which models compare"
    if unsized := int(rates["n"].isna().sum()):
        yield (
            f"the sample size ({SAMPLE}, or an assumption for level and wave) of {unsized} of "
            f"{len(rates)} rates; without it a rate has no interval and enters no model"
        )
    if assumed := int((rates["n_assumed"] & rates["n"].notna()).sum()):
        yield (
            f"the sample size ({SAMPLE}) of {assumed} of {len(rates)} rates; assumed ones are "
            "taken, and the intervals rest on them"
        )


def _input_gaps(dataset: Dataset, frames: Panels) -> Iterator[str]:
    """Doses and covariates that are lacking in rows of the panel of gains."""
    panel, doses = frames.provinces, dataset.doses.set_index("dose")
    for dose, row in doses.iterrows():
        lacking = int(panel[f"log2_{dose}"].isna().sum())
        if lacking:
            per = f" or {row['denominator']}" if row["denominator"] else ""
            yield (
                f"{row['indicator']}{per} for {lacking} of {len(panel)} gains; they would enter "
                f"the estimate of {dose}"
            )
    for column, indicator in dataset.conditions.items():
        lacking = int(panel[column].isna().sum())
        if lacking and column in frames.controls["gain"]:
            yield (
                f"{indicator} for {lacking} of {len(panel)} gains, which no model takes without "
                "it; give the figures, or take the row out of covariates.csv"
            )


def _value_gaps(dataset: Dataset) -> Iterator[str]:
    """What cost, prices and targets would need."""
    facts, units, rate = dataset.facts, dataset.words("en")["units"], dataset.outcome
    own = facts[facts["region_code"].isin(dataset.model_regions)]
    if not dataset.money:
        yield "a dose of domain fund; with it reports say what money was spent and moved"
    if by_year(dataset, INDEX).empty:
        yield f"{INDEX} of {dataset.whole}; with it sums of several years are compared"
    if not (own["indicator"] == PEOPLE).any():
        yield f"{PEOPLE} of {units}; with it figures are given per head"
    if not ((own["indicator"] == rate) & (own["kind"] == "target")).any():
        yield f"targets ({rate}, kind target) of {units}; with them reports say what is needed"
