"""Costs and value of a study put together once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import LEAST_LOCKS, MOST_LOCKS, Spoken, figures, say, whole
from evaluation.base.text import LANGUAGES, t
from evaluation.data.package import Dataset
from evaluation.evidence.checks import MAXIMUM_CONDITION, MAXIMUM_VIF
from evaluation.evidence.headline import TERM, Headline
from evaluation.models.columns import GAINS, Inference, Roles
from evaluation.models.panels import Panels, roles
from evaluation.survey.panel import composite, per_capita
from evaluation.value import costs
from evaluation.value.costs import declared, rule
from evaluation.value.effects import (
    Joint,
    Response,
    composite_slope,
    confidence_draws,
    joint,
    response,
)
from evaluation.value.reallocate import Reallocation, bounds, reallocate

if TYPE_CHECKING:
    from evaluation.figures.svg import Picture

DRAWS = 2000


@dataclass(frozen=True, eq=False, repr=False)
class Value(Spoken):
    """The value analysis of a data package, for every region at once.

    Attributes
    ----------
    funds : published funds, see :func:`evaluation.value.costs.funds`.
    share_year, shares : national funds by lever. people : residents by region and year.
    effects : draws (2,000,) by name, percentage points a year: ``composite`` for one unit of the
        index, each dose for a doubling. slope : units of the composite when every input doubles.
    levers : the levers in one equation. support : lowest and highest level of each dose seen.
    responses : one a lever. between_levers, between_regions : see their class.
    locks : of the evidence; with fewer than one no money is moved, nor priced.
    reasons : why a part is absent, by its name. names : the package's names of its doses, by
        language and dose.
    """

    funds: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=costs.COLUMNS))
    share_year: int = 0
    shares: pd.Series | None = None
    people: pd.Series | None = None
    effects: dict[str, np.ndarray] = field(default_factory=dict)
    slope: float = float("nan")
    levers: Joint | None = None
    support: dict[str, tuple[float, float]] = field(default_factory=dict)
    responses: tuple[Response, ...] = ()
    between_levers: Reallocation | None = None
    between_regions: Reallocation | None = None
    priced: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """Draws of each effect: ``effect, mean, low, high`` in percentage points a year, 95 %."""
        names = ["effect", "mean", "low", "high"]
        rows = [(k, d.mean(), *np.quantile(d, (0.025, 0.975))) for k, d in self.effects.items()]
        return pd.DataFrame(rows, columns=names)

    def summary(self, language: str = "en") -> str:
        """What could be worked out, and what could not with its reason."""
        counts = {
            "effects": len(self.effects), "curves": len(self.responses),
            "regions": 0 if self.people is None else self.people.index.unique(level=0).size,
        }  # fmt: skip
        sentences = [say("speak.value", language, **{k: whole(v) for k, v in counts.items()})]
        for part, reason in self.reasons.items():
            sentences.append(say("speak.value.absent", language, part=part, reason=reason))
        return " ".join(sentences)

    def plot(self, language: str = "en") -> Picture:
        """Response curves of the levers with their bands."""
        curves = [
            (self.names[language][item.lever], item.curve)
            for item in self.responses
            if item.curve is not None
        ]
        if not curves:
            raise KepuError("No figure: these data carry no response curve.")
        ylabel = str(t("axis.value.response", language))
        return figures("decision").response_curves(curves, ylabel=ylabel)

    def __repr__(self) -> str:
        absent = f", absent: {', '.join(self.reasons)}" if self.reasons else ""
        return f"Value(effects of {', '.join(self.effects) or 'nothing'}{absent})"


def _roles(panels: Panels, doses: Sequence[str]) -> Roles:
    return roles(GAINS, [f"log2_{name}" for name in doses], panels.controls)


def _effects(
    panels: Panels, headline: Headline, names: list[str], inference: Inference
) -> tuple[dict[str, np.ndarray], float]:
    """Draws of the composite and of every dose whose interval has two ends."""
    panel, seed = panels.provinces, inference.seed
    frame, part = (
        panel.assign(**{TERM: composite(panel, names)}),
        roles(GAINS, [TERM], panels.controls),
    )
    draws = {TERM: confidence_draws(frame, part, inference, size=DRAWS, seed=seed)}
    for place, name in enumerate(names, 1):
        with suppress(ModelError):  # its estimate is refused too, and the report says why
            draws[name] = confidence_draws(
                panel, _roles(panels, [name]), inference, size=DRAWS, seed=seed + place
            )
    return draws, composite_slope(panel, headline.parts)


def _levers(dataset: Dataset, panels: Panels, seed: int) -> Joint:
    if not dataset.levers:
        raise ModelError("The package has no input but money.")
    return joint(panels.provinces, _roles(panels, dataset.levers), seed=seed)


def _priced(headline: Headline) -> None:
    """Refuse to move money on evidence that carries no comparison, or tells nothing."""
    if not headline.priced:
        locks = headline.grade.locks
        told = "whose interval holds zero " if locks >= LEAST_LOCKS else ""
        raise ModelError(f"Evidence of {locks} of {MOST_LOCKS} locks {told}moves no money.")


def _between_levers(
    dataset: Dataset, panel: pd.DataFrame, levers: Joint, shares: pd.Series, headline: Headline
) -> Reallocation:
    """National funds between the levers, each at the median level of the panel."""
    _priced(headline)
    names = dataset.levers
    domains = dataset.doses.set_index("dose")["domain"][list(names)]
    if sorted(domains) != sorted(shares.index):
        known = ", ".join(shares.index)
        raise ModelError(f"Funds are known by {known}; the inputs are not one of each.")
    seen = panel[[f"dose_{name}" for name in names]].dropna()
    limits = bounds(seen.median(), seen.min(), seen.max(), rule(dataset))
    apart = levers.vif <= MAXIMUM_VIF and levers.condition <= MAXIMUM_CONDITION
    return reallocate(
        names, levers, np.eye(len(names)), shares[domains].set_axis(names), limits,
        rule=rule(dataset), locks=headline.grade.locks, told_apart=apart,
    )  # fmt: skip


def latest_levels(dataset: Dataset, name: str) -> pd.DataFrame:
    """Each region's last published level of a dose: ``year, value``, indexed by region."""
    dose = dataset.doses.set_index("dose", drop=False).loc[name]
    table = per_capita(dataset, dose).sort_values("year")
    return table.groupby("region_code")[["year", "value"]].last()


def _between_regions(
    dataset: Dataset,
    panels: Panels,
    effects: Mapping[str, np.ndarray],
    seed: int,
    headline: Headline,
) -> Reallocation:
    """Money between the regions of the panel: literate adults for a doubling, by region."""
    _priced(headline)
    money = dataset.money
    if money not in effects:
        raise ModelError("The package has no dose of money whose effect can be estimated.")
    levels = latest_levels(dataset, money)
    levels = levels[levels.index.isin(dataset.model_regions)]
    newest = costs.population(dataset).groupby(level=0).last()
    levels = levels[levels.index.isin(newest.index)]
    people = newest.reindex(levels.index).to_numpy()
    adults = people * declared(dataset, "adult_share") / 100
    seen = panels.provinces[f"dose_{money}"].dropna()
    single = joint(panels.provinces, _roles(panels, [money]), seed=seed)
    # The draws that agree with the printed interval of this effect.
    single = replace(single, draws=effects[money][:, None])
    limits = bounds(levels["value"], seen.min(), seen.max(), rule(dataset))
    return reallocate(
        levels.index.tolist(), single, adults[:, None] / 100,
        levels["value"].to_numpy() * people, limits, rule=rule(dataset),
        locks=headline.grade.locks,
    )  # fmt: skip


class _Parts(dict):
    """Parts made so far; to ask for one that could not be made repeats the reason."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}

    def __missing__(self, name: str) -> Any:
        raise ModelError(self.reasons[name])

    def make(self, name: str, how: Callable[[], Any], first: str = "", second: str = "") -> None:
        """Make one part, or keep the reason why these data do not allow it.

        A pair is kept under the names ``first`` and ``second``.
        """
        try:
            made = how()
        except ModelError as error:
            self.reasons[name] = str(error)
        else:
            self.update({first: made[0], second: made[1]} if first else {name: made})


def assemble(
    dataset: Dataset, panels: Panels, headline: Headline | str, *, draws: int, seed: int
) -> Value:
    """Compute the value analysis; a part the data do not allow is left out with its reason."""
    names, panel, made = list(dataset.doses["dose"]), panels.provinces, _Parts()
    made.make("funds", lambda: costs.funds(dataset))
    made.make("people", lambda: costs.population(dataset))
    made.make(
        "shares", lambda: costs.lever_shares(made["funds"], dataset.whole), "share_year", "shares"
    )
    if isinstance(headline, str):
        return Value(**made, reasons=made.reasons | {"effects": headline})
    inference = Inference(draws, seed)
    made.make("effects", lambda: _effects(panels, headline, names, inference), "effects", "slope")
    made.make("levers", lambda: _levers(dataset, panels, seed))
    made.make(
        "between_levers",
        lambda: _between_levers(dataset, panel, made["levers"], made["shares"], headline),
    )
    made.make(
        "between_regions",
        lambda: _between_regions(dataset, panels, made["effects"], seed, headline),
    )
    doses = panel.filter(regex="^dose_").dropna(axis="columns", how="all")
    support = {
        name.removeprefix("dose_"): (float(values.min()), float(values.max()))
        for name, values in doses.items()
    }
    curves = tuple(response(panel, name, _roles(panels, ()), inference) for name in dataset.levers)
    labels = {
        language: {name: dataset.dose_label(name, language) for name in names}
        for language in LANGUAGES
    }
    return Value(
        **made,
        support=support,
        responses=curves,
        priced=headline.priced,
        reasons=made.reasons,
        names=labels,
    )
