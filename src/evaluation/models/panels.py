"""The panels the models read from one data package, and which of their columns play which part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.base.results import Result, Spoken, say, whole
from evaluation.data.package import Dataset
from evaluation.models.columns import Roles
from evaluation.panel import panel
from evaluation.panel.panel import attach, level_panel

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
