"""Everything a report draws on, computed once and kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evaluation.base import cache as fingerprint
from evaluation.base.cache import PICKLE, cached, latest, libraries
from evaluation.base.errors import KepuError
from evaluation.base.results import MOST_LOCKS, Spoken, figures, say, whole
from evaluation.base.text import t
from evaluation.data.package import SAMPLE, Dataset, load, targets, usable
from evaluation.evidence.designs import Designed, designs
from evaluation.evidence.grade import permitted
from evaluation.evidence.headline import Estimate, Headline, attempt, headline
from evaluation.models.columns import GAINS, LEVELS, Inference
from evaluation.models.panels import Panels, panels
from evaluation.stats.bootstrap import holm
from evaluation.survey import panel
from evaluation.targets.outlook import Outlook, outlook
from evaluation.value.analysis import Value, assemble

if TYPE_CHECKING:
    from evaluation.figures.svg import Picture

# Keep what is costly and always the same: studies, and what was found out about a file before.
LEAST_DRAWS = 99  # with fewer, no interval at 95 % has an end
Key = tuple[str, str, int, int]
__all__ = ["Study", "build", "load", "load_study"]
_held: dict[Key, Study] = {}
_failed: dict[Key, Exception] = {}


@cache
def code_hash() -> str:
    """SHA-256 over the modules a study is computed by and the versions of what they use."""
    state = fingerprint.code("evaluation.study") + libraries()
    return hashlib.sha256(state.encode()).hexdigest()


def load_study(
    dataset: Dataset, *, draws: int = 9999, seed: int = 20250101, folder: str | Path = ""
) -> Study:
    """The study of a data package or a slice of one; estimates are computed at most once.

    Parameters
    ----------
    draws, seed : of the bootstraps; the same seed gives the same study.
    folder : where studies are kept, by default :func:`evaluation.base.cache.folder`.

    Raises
    ------
    KepuError : fewer than ``LEAST_DRAWS`` draws.
    """
    if draws < LEAST_DRAWS:
        raise KepuError(f"A bootstrap of {draws} draws tells nothing; take {LEAST_DRAWS} or more.")
    return widen(_kept(*_core(dataset, draws, seed), folder), dataset)


def hold(dataset: Dataset, *, draws: int, seed: int) -> None:
    """Keep the study of ``dataset`` in memory, for this process and those forked from it.

    Where it cannot be made, the reason is kept: none of them tries in vain what takes long.
    """
    core, key = _core(dataset, draws, seed)
    try:
        _held[key] = _kept(core, key)
    except Exception as error:
        _failed[key] = error
        raise


def _core(dataset: Dataset, draws: int, seed: int) -> tuple[Dataset, Key]:
    """The part of ``dataset`` that studies read, and the key of its study."""
    from evaluation.data import slices

    core = slices.of_study(dataset)
    return core, (core.hash, code_hash(), draws, seed)


def _kept(core: Dataset, key: Key, place: str | Path = "") -> Study:
    """The study of a core, from memory, disk or made anew."""
    if key in _failed:
        raise _failed[key]
    *_, draws, seed = key
    return _held.get(key) or cached(
        "studies", " ".join(map(str, key)), lambda: build(core, draws=draws, seed=seed),
        PICKLE, place,
    )  # fmt: skip


# Everything a report draws on, computed once from a data package.
MAIN_MODELS = (GAINS, LEVELS)


@dataclass(frozen=True, eq=False, repr=False)
class Study(Spoken):
    """Rates, gains, doses, targets and estimates of one data package.

    ``provinces`` holds the gains of provinces with doses and covariates, the panel of the gain
    regression; ``levels`` the rates of provinces with doses, the panel of the fixed effects.
    ``headline`` is the composite on the whole ladder, ``outlook`` the forecasts with their
    back-test, each or the reason why there is none. ``value`` is what the money bought and could
    be moved to, see :class:`evaluation.value.analysis.Value`. ``designs`` are the programmes that
    ``events.csv`` declares, each with its estimate or the reason why there is none.
    """

    dataset: Dataset
    rates: pd.DataFrame
    gains: pd.DataFrame
    bands: pd.DataFrame
    targets: pd.DataFrame
    provinces: pd.DataFrame
    levels: pd.DataFrame
    estimates: tuple[Estimate, ...]
    headline: Headline | str
    value: Value
    outlook: Outlook | str
    designs: tuple[Designed, ...] = ()

    @property
    def strongest(self) -> Designed | None:
        """The declared programme with most locks, where it has more than the comparison of doses.

        Of several with as many, the one with the smallest error; none where no programme is
        stronger.
        """
        doses = self.headline.grade.locks if isinstance(self.headline, Headline) else 0
        found = [item for item in self.designs if item.result and item.locks > doses]
        return max(found, key=lambda item: (item.locks, -item.result.se), default=None)

    @property
    def simulated(self) -> bool:
        """Whether the package holds generated figures and every page must say so."""
        return self.dataset.simulated

    def table(self) -> pd.DataFrame:
        """One estimate a row: ``dose, model, estimate, low, high, p, p_holm, verdict, reason``."""
        names, own = ("estimate", "low", "high", "p"), ("p_holm", "verdict", "reason")
        return pd.DataFrame(
            [
                {"dose": e.dose, "model": e.model}
                | {name: getattr(e.result, name, float("nan")) for name in names}
                | {name: getattr(e, name) for name in own}
                for e in self.estimates
            ]
        )

    def summary(self, language: str = "en") -> str:
        """What the study rests on and the strongest sentence its evidence permits."""
        words = self.dataset.words(language)
        counts = {**words, "rates": whole(len(self.rates)), "gains": whole(len(self.gains))}
        warning = [say("speak.simulated", language)] if self.simulated else []
        if not isinstance(self.headline, Headline):
            why = say("speak.ungraded", language, reason=self.headline, **counts)
            return " ".join([*warning, why])
        grade, verdict = self.headline.grade, self.headline.result.verdict
        key = permitted(grade, verdict, language)
        counts |= {
            "rows": whole(len(self.provinces)), "locks": grade.locks, "most": MOST_LOCKS,
            "provinces": self.provinces["region_code"].nunique(),
            "says": t(key, language, **{**words, "dose": t("composite.name", language)}),
        }  # fmt: skip
        return " ".join([*warning, say("speak.study", language, **counts)])

    def plot(self, language: str = "en") -> Picture:
        """Every dose of the gain regression with its interval about zero."""
        items = [e for e in self.estimates if e.model == MAIN_MODELS[0] and e.result is not None]
        if not items:
            raise KepuError("No figure: no dose can be estimated from these data.")
        label = self.dataset.dose_label
        rows = [vars(e.result) | {"label": label(e.dose, language)} for e in items]
        return figures().estimates(pd.DataFrame(rows), str(t("axis.effect", language)))

    def __repr__(self) -> str:
        kind = "simulated, " if self.simulated else ""
        head = self.headline
        graded = f"{head.grade.locks} locks" if isinstance(head, Headline) else "no headline"
        return (
            f"Study({kind}{len(self.rates)} rates, {len(self.gains)} gains, "
            f"{len(self.estimates)} estimates, {graded})"
        )


def band_rates(dataset: Dataset) -> pd.DataFrame:
    """Published rates of the three bands of provinces: ``band, wave, rate, fact_id``."""
    prefix, rows = "region_band=", dataset.facts
    rows = rows[(rows["indicator"] == dataset.outcome) & rows["group"].str.startswith(prefix)]
    rows = usable(rows, dataset.sources)
    frame = pd.DataFrame(
        {
            "band": rows["group"].str.removeprefix(prefix),
            "wave": rows["year"].astype(int),
            "rate": rows["value"],
            "fact_id": rows["fact_id"],
        }
    )
    return frame.sort_values(["band", "wave"], ignore_index=True)


def estimate(frames: Panels, doses: pd.DataFrame, *, draws: int, seed: int) -> tuple[Estimate, ...]:
    """Gain regression and two-way fixed effects for each dose, Holm over all that is tried.

    Every dose in every model is a try at one question, so one family is adjusted for. Effects
    are percentage points per doubling of the dose: a year in the gain regression, in the level in
    the fixed effects.
    """
    run, rows = Inference(draws, seed), []
    labels = doses[["label_zh", "label_en"]].rename(columns=lambda name: name[-2:])
    names = labels.to_dict("records")
    for model, frame in zip(MAIN_MODELS, (frames.provinces, frames.levels), strict=True):
        tried = [
            attempt(dose, model, frame, f"log2_{dose}", run, frames.controls)
            for dose in doses["dose"]
        ]
        rows += [replace(e, names=own) for e, own in zip(tried, names, strict=True)]
    known = [e.result.p for e in rows if e.result]
    adjusted = iter(holm(known) if known else ())
    return tuple(replace(e, p_holm=float(next(adjusted))) if e.result else e for e in rows)


def build(
    dataset: Dataset,
    *,
    draws: int = 9999,
    seed: int = 20250101,
    assumed: panel.Assumed | None = None,
) -> Study:
    """Compute the whole study; the same seed gives the same study."""
    frames, run = panels(dataset, assumed), {"draws": draws, "seed": seed}
    composite = headline(dataset, frames, **run)
    return Study(
        dataset=dataset,
        rates=frames.rates,
        gains=frames.gains,
        bands=band_rates(dataset),
        targets=targets(dataset),
        provinces=frames.provinces,
        levels=frames.levels,
        estimates=estimate(frames, dataset.doses, **run),
        headline=composite,
        outlook=outlook(dataset, frames.rates),
        value=assemble(dataset, frames, composite, **run),
        designs=designs(dataset, frames.rates, **run),
    )


@latest
def widen(study: Study, dataset: Dataset) -> Study:
    """The same estimates over all regions of ``dataset``, of which ``study`` read a part."""
    goals = targets(dataset)
    if _surveyed(dataset).equals(_surveyed(study.dataset)):
        return replace(study, dataset=dataset, targets=goals)
    rates, ahead = panel.rates(dataset), study.outlook
    return replace(
        study,
        outlook=ahead if isinstance(ahead, str) else ahead.over(dataset, rates),
        dataset=dataset,
        rates=rates,
        gains=panel.gains(rates, dataset.waves),
        targets=goals,
    )


def _surveyed(dataset: Dataset) -> pd.Series:
    """Identifiers of the facts that rates are read from; the study's are a part of any other's."""
    facts = dataset.facts
    return facts.loc[facts["indicator"].isin([dataset.outcome, SAMPLE]), "fact_id"].reset_index(
        drop=True
    )
