"""Which columns a model reads, the one refusal of each bad panel, one design matrix, timings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.data.package import MIN_REGIONS

if TYPE_CHECKING:  # slow to import: names of columns are asked for where nothing is fitted
    from scipy import sparse

    from evaluation.stats.least_squares import Equation

GAINS, LEVELS = "gain_regression", "two_way_fixed_effects"
# Parts whose values are the fixed effects of each linear model.
EFFECTS = {GAINS: ("wave",), LEVELS: ("region", "wave")}
UNBALANCED = ("wave_means", "wave_counts", "ignore")


@dataclass(frozen=True)
class Roles:
    """Which column of the panel plays which part.

    Attributes
    ----------
    outcome : rate (percent) or gain. doses : regressors, the first is reported; in a model of
        events the timing of the treatment. covariates : further columns.
    region : clusters. wave : survey wave of a level or interval (wave pair) of a gain.
    variance : known sampling variance of the outcome, or None where it is taken as error-free.
    spans : of a gain, its opening and its closing wave and the opening survey's part of
        ``variance``; with them gains of a region that meet in a survey have their covariance,
        without them they count as independent.

    Raises
    ------
    ModelError : a bare text in place of a list, or a column in two parts.
    """

    outcome: str
    doses: Sequence[str]
    region: str
    wave: str
    variance: str | None = None
    covariates: Sequence[str] = ()
    spans: Sequence[str] = ()

    def __post_init__(self) -> None:
        for part in ("doses", "covariates", "spans"):
            names = getattr(self, part)
            if isinstance(names, str):
                raise ModelError(f"'{part}' must be a list of columns, not the text '{names}'.")
            object.__setattr__(self, part, tuple(names))
        if self.spans and (len(self.spans) != 3 or self.variance is None):
            raise ModelError(
                "'spans' names the opening wave, the closing wave and the opening survey's part of "
                f"the variance beside 'variance'; it names {len(self.spans)} columns."
            )
        parts = [*self._numbers, self.region, self.wave]
        twice = sorted({name for name in parts if parts.count(name) > 1})
        if twice:
            raise ModelError(f"Column used in two parts of one model: {', '.join(twice)}.")

    @property
    def dose(self) -> str:
        """The dose reported."""
        return self.doses[0]

    @property
    def _numbers(self) -> list[str]:
        known = [] if self.variance is None else [self.variance]
        return [self.outcome, *self.doses, *self.covariates, *known]

    @property
    def numeric(self) -> list[str]:
        """Columns that must hold numbers."""
        return [*self._numbers, *self.spans[2:]]

    @property
    def used(self) -> list[str]:
        """All columns, each once."""
        return list(dict.fromkeys([*self.numeric, self.region, self.wave, *self.spans]))


@dataclass(frozen=True)
class Inference:
    """How interval and p-value are made.

    Attributes
    ----------
    draws : of the bootstrap. seed : of the draws. level : coverage of the interval, a share.
    companions : whether a linear model computes CRV3, randomisation inference and the minimum
        detectable effect beside the interval; refits that only need the estimate do without.
    """

    draws: int = 9999
    seed: int = 1
    level: float = 0.95
    companions: bool = True


def _rows(mask: pd.Series) -> str:
    """The index labels where ``mask`` holds, the first five by name."""
    labels = [str(label) for label in mask.index[mask.to_numpy()]]
    more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return f"row{'s' if len(labels) > 1 else ''} {', '.join(labels[:5])}{more}"


def _require_columns(panel: pd.DataFrame, roles: Roles) -> None:
    absent = [name for name in roles.used if name not in panel.columns]
    if absent:
        known = ", ".join(map(str, panel.columns))
        raise ModelError(f"Columns not in the panel: {', '.join(absent)}. It has: {known}.")


def plain(panel: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """The panel with plain labels: a category that no row has would count as a region or wave."""
    names = {roles.region, roles.wave, *roles.spans[:2]} & set(panel.columns)
    coded = [n for n in sorted(names) if isinstance(panel[n].dtype, pd.CategoricalDtype)]
    return panel.assign(**{n: panel[n].astype(panel[n].cat.categories.dtype) for n in coded})


def complete(panel: pd.DataFrame, roles: Roles) -> tuple[pd.DataFrame, int]:
    """Rows of the declared columns without missing values, and the number left out.

    Raises
    ------
    ModelError : a column absent, not numeric or infinite, a region twice in a wave, a negative
        variance; the message names column and rows.
    """
    _require_columns(panel, roles)
    panel = plain(panel, roles)
    for name in roles.numeric:
        if not pd.api.types.is_numeric_dtype(panel[name]):
            raise ModelError(f"Column '{name}' must be numeric; it is {panel[name].dtype}.")
        infinite = np.isinf(panel[name].to_numpy(dtype=float, na_value=np.nan))
        if infinite.any():
            where = _rows(pd.Series(infinite, panel.index))
            raise ModelError(f"Column '{name}' holds infinite values: {where}.")
    frame = panel[roles.used].dropna()
    doubled = frame.duplicated([roles.region, roles.wave])
    if doubled.any():
        first, count = frame[doubled].iloc[0], int(doubled.sum())
        raise ModelError(
            f"{count} {'row repeats' if count == 1 else 'rows repeat'} a region and wave "
            f"({_rows(doubled)}), first "
            f"{roles.region} = {first[roles.region]}, {roles.wave} = {first[roles.wave]}."
        )
    if roles.variance is not None and (frame[roles.variance] < 0).any():
        where = _rows(frame[roles.variance] < 0)
        raise ModelError(f"Column '{roles.variance}' holds negative variances: {where}.")
    return frame, len(panel) - len(frame)


def _check_doses(frame: pd.DataFrame, roles: Roles) -> None:
    """Refuse a constant dose, and doses of which one is a linear combination of the others."""
    from evaluation.stats.least_squares import RANK_TOLERANCE

    kept: list[str] = []
    values = frame[list(roles.doses)].astype(float)
    centred = values - values.mean()
    for name in roles.doses:
        length = np.linalg.norm(centred[name])
        if length <= RANK_TOLERANCE * max(np.linalg.norm(values[name]), 1e-300):
            raise ModelError(
                f"Column '{name}' is {values[name].iloc[0]:g} in all {len(frame)} rows: a constant "
                "dose says nothing. Leave it out."
            )
        left = centred[name].to_numpy()
        if kept:
            others = centred[kept].to_numpy() / np.linalg.norm(centred[kept], axis=0)
            left = left - others @ np.linalg.lstsq(others, left, rcond=None)[0]
        if np.linalg.norm(left) <= RANK_TOLERANCE * length:
            raise ModelError(
                f"Doses {', '.join(repr(k) for k in kept)} and '{name}' are perfectly collinear in "
                f"all {len(frame)} rows: the panel cannot tell them apart. Leave one out."
            )
        kept.append(name)


def checked(
    panel: pd.DataFrame, roles: Roles, *, waves: int = 2, doses: int = 1
) -> tuple[pd.DataFrame, int]:
    """Complete rows that carry a model, and the number left out.

    Parameters
    ----------
    waves : least number of values in the column of waves: 1 where it holds intervals, each of
        which is two waves. doses : least number of doses.

    Raises
    ------
    ModelError : what :func:`complete` refuses, too few doses, fewer than 10 regions or than
        ``waves`` waves left, a constant dose, collinear doses.
    """
    if len(roles.doses) < doses:
        raise ModelError("'doses' names no column; name at least one.")
    frame, dropped = complete(panel, roles)
    for column, least in ((roles.region, MIN_REGIONS), (roles.wave, waves)):
        count = frame[column].nunique()
        if count < least:
            raise ModelError(
                f"Column '{column}' holds {count} {'value' if count == 1 else 'values'} in the "
                f"{len(frame)} rows that remain after dropping {dropped} with missing values; at "
                f"least {least} are needed."
            )
    _check_doses(frame, roles)
    return frame.reset_index(drop=True), dropped


def dummies(labels: pd.Series, drop_first: bool) -> pd.DataFrame:
    """0/1 columns ``name=value`` in sorted order, without the first value if ``drop_first``."""
    frame = pd.get_dummies(labels, prefix=str(labels.name), prefix_sep="=", dtype=float)
    return frame.iloc[:, 1:] if drop_first else frame


def _covariance(frame: pd.DataFrame, roles: Roles) -> sparse.csr_array | None:
    """Sampling covariance (N, N) of gains, of which two share a survey where they meet.

    A gain is the error of its closing survey less that of its opening one, so what it has of each
    stands in a row of signed standard errors: their products are the covariance, -v/(T T') where
    one gain closes and the next opens.
    """
    from scipy import sparse

    if not roles.spans:
        return None
    opens, closes, part = roles.spans
    total, first = (frame[name].to_numpy(dtype=float) for name in (roles.variance, part))
    if ((first < 0) | (first > total * (1 + 1e-9))).any():
        raise ModelError(
            f"Column '{part}' must lie between 0 and '{roles.variance}', of which it is a part."
        )
    keys = [pd.MultiIndex.from_frame(frame[[roles.region, name]]) for name in (opens, closes)]
    surveys = pd.factorize(keys[0].append(keys[1].set_names(keys[0].names)))[0]
    errors = np.sqrt(np.concatenate([first, np.maximum(total - first, 0.0)]))
    signs = np.repeat([-1.0, 1.0], len(frame))
    place = (np.tile(np.arange(len(frame)), 2), surveys)
    shares = sparse.csr_array((signs * errors, place))
    return (shares @ shares.T).tocsr()


def _centred(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Columns less their mean: what is estimated then keeps its digits however far they lie off."""
    values = frame[list(names)].astype(float)
    return values - values.mean()


def joined(frame: pd.DataFrame, roles: Roles, effects: pd.DataFrame, **counts) -> Equation:
    """Effects, covariates and doses, the first dose last; fixed effects are at their means."""
    from evaluation.stats.least_squares import Equation

    own = [*roles.covariates, *reversed(roles.doses)]
    return Equation(
        y=frame[roles.outcome].to_numpy(dtype=float),
        X=pd.concat([effects, _centred(frame, own)], axis=1),
        clusters=frame[roles.region].to_numpy(),
        periods=frame[roles.wave].to_numpy(),
        variance=None if roles.variance is None else frame[roles.variance].to_numpy(dtype=float),
        covariance=_covariance(frame, roles),
        effects=effects.shape[1],
        doses=len(roles.doses),
        **counts,
    )


def _kept(panel: pd.DataFrame, roles: Roles, repeated: bool) -> tuple[np.ndarray, dict[str, int]]:
    """Positions of the complete rows, of ``repeated`` regions only if so, and what was left out."""
    _require_columns(panel, roles)
    full = panel[roles.used].notna().all(axis=1).to_numpy(copy=True)
    keep = full.copy()
    if repeated:  # a region seen once says nothing of change within regions
        seen = panel.loc[full, roles.region].value_counts()
        keep &= panel[roles.region].map(seen).fillna(0).gt(1).to_numpy()
    left_out = {"dropped": int((~full).sum()), "singletons": int((full & ~keep).sum())}
    return np.flatnonzero(keep), left_out


def equation(model: str, panel: pd.DataFrame, roles: Roles) -> Equation:
    """The equation of a linear model on the complete rows of a panel, however few these are.

    Gains have one effect an interval and no separate intercept; levels have region effects and
    wave effects less the first, and leave out regions seen in one wave.

    Raises
    ------
    ModelError : a model that is not linear, a column absent, or no complete row.
    """
    if model not in EFFECTS:
        raise ModelError(f"'{model}' is not linear; use one of {', '.join(EFFECTS)}.")
    nested, panel = "region" in EFFECTS[model], plain(panel, roles)
    rows, counts = _kept(panel, roles, repeated=nested)
    if not len(rows):
        if counts["singletons"]:
            require_repeated(0, counts["singletons"])
        raise ModelError("No row of the panel is complete in the columns of the model.")
    frame = panel[roles.used].iloc[rows].reset_index(drop=True)
    effects = [
        dummies(frame[getattr(roles, part)], drop_first=place > 0)
        for place, part in enumerate(EFFECTS[model])
    ]
    if nested:
        counts["nested"] = effects[0].shape[1]
    return joined(frame, roles, pd.concat(effects, axis=1), rows=rows, **counts)


def require_repeated(regions: int, singletons: int) -> None:
    """Refuse fewer than 10 regions that were seen in two waves or more."""
    if regions < MIN_REGIONS:
        raise ModelError(
            f"{regions} regions have two waves or more ({singletons} have one); at least "
            f"{MIN_REGIONS} are needed."
        )


def independent(base: pd.DataFrame, extra: pd.DataFrame) -> list[str]:
    """Names of the columns of ``extra`` that no column before them, nor ``base``, explains."""
    from evaluation.stats.least_squares import RANK_TOLERANCE

    q = np.linalg.qr(base.to_numpy(dtype=float))[0]
    kept = []
    for name in extra.columns:
        column = extra[name].to_numpy(dtype=float)
        left = column - q @ (q.T @ column)
        left = left - q @ (q.T @ left)
        length = np.linalg.norm(left)
        # Sums of many waves leave rounding errors well above the tolerance of one division.
        if length > 1e3 * RANK_TOLERANCE * max(np.linalg.norm(column), 1e-300):
            kept.append(name)
            q = np.column_stack([q, left / length])
    return kept


def _means(columns: pd.DataFrame, region: pd.Series) -> pd.DataFrame:
    """Means over the waves observed of each region, repeated in its rows."""
    return columns.groupby(region.to_numpy()).transform("mean").add_prefix("mean of ")


def _exposure(frame: pd.DataFrame, roles: Roles, waves: pd.DataFrame, how: str) -> pd.DataFrame:
    """Columns that tell regions apart by the waves they were seen in; none if balanced."""
    if how not in UNBALANCED:
        raise ModelError(f"Unknown 'unbalanced' rule '{how}': use {', '.join(UNBALANCED)}.")
    region = frame[roles.region]
    if how == "wave_means":
        return _means(waves, region)
    if how == "wave_counts":
        counts = region.map(region.value_counts()).rename("waves seen")
        return dummies(counts, drop_first=True)
    return pd.DataFrame(index=frame.index)


def _require_within(frame: pd.DataFrame, roles: Roles) -> None:
    """Refuse a dose that is constant within every region."""
    for dose in roles.doses:
        within = frame[dose] - frame.groupby(roles.region)[dose].transform("mean")
        if within.abs().max() <= 1e-12 * max(frame[dose].abs().max(), 1e-300):
            raise ModelError(
                f"Column '{dose}' is constant within every region: it cannot be told apart from "
                "its regional mean. Leave it out, or use a model of gains."
            )


def mundlak(
    panel: pd.DataFrame, roles: Roles, *, means: bool = True, unbalanced: str = "wave_means"
) -> tuple[Equation, pd.DataFrame]:
    """Intercept, wave effects and regional means; then covariates; then doses, the first last.

    Regions seen once say nothing of change within regions and are left out and counted. With
    ``unbalanced="wave_means"`` pooled least squares on this design gives the coefficients of
    two-way fixed effects exactly, balanced or not.

    Parameters
    ----------
    means : whether the regional means of doses and covariates are added.
    unbalanced : what else tells regions seen in different waves apart: ``"wave_means"`` regional
        means of the wave effects, ``"wave_counts"`` one dummy a number of waves seen,
        ``"ignore"`` nothing. Columns that add nothing (a balanced panel) are left out.

    Returns
    -------
    the equation, and the rows of the panel it was made from.

    Source
    ------
    Mundlak (1978), Econometrica 46:69-85; Wooldridge (2019), Journal of Econometrics 211:137-150.
    """
    checked(panel, roles)
    panel = plain(panel, roles)
    rows, counts = _kept(panel, roles, repeated=True)
    frame = panel[roles.used].iloc[rows].reset_index(drop=True)
    require_repeated(frame[roles.region].nunique(), counts["singletons"])
    _require_within(frame, roles)
    own = _centred(frame, [*roles.covariates, *reversed(roles.doses)])
    waves = dummies(frame[roles.wave], drop_first=True)
    left = pd.concat([pd.Series(1.0, frame.index, name="intercept"), waves], axis=1)
    if means:
        extra = [_means(own.iloc[:, ::-1], frame[roles.region])]
        extra.append(_exposure(frame, roles, waves, unbalanced))
        extra = pd.concat(extra, axis=1)
        left = left.join(extra[independent(left.join(own), extra)])
    return joined(frame, roles, left, rows=rows, **counts), frame


# Panels with the timing of a treatment that, once given, stays.
NEVER = -1


@dataclass(frozen=True)
class Timed:
    """A panel with the timing of a treatment that, once given, stays.

    Attributes
    ----------
    regions : (n,) labels. waves : (T,) increasing years.
    y : (n, T) outcome, missing where not observed. variance : (n, T) of y, or ``None``.
    start : (n,) position of the first treated wave; ``-1`` for regions not treated up to the last.
    dropped : rows left out for missing values. always : regions left out for being treated in the
        first wave. later : regions treated only after the last wave, counted as untreated.
    """

    regions: np.ndarray
    waves: np.ndarray
    y: np.ndarray
    variance: np.ndarray | None
    start: np.ndarray
    dropped: int
    always: int
    later: int

    @property
    def treated(self) -> np.ndarray:
        """(n,) whether the region is treated in some wave."""
        return self.start != NEVER

    @property
    def observed(self) -> np.ndarray:
        """(n, T) whether the outcome is known."""
        return np.isfinite(self.y)

    @property
    def cohorts(self) -> np.ndarray:
        """(n,) codes of the groups of regions that start together; untreated regions are 0."""
        return np.unique(self.start, return_inverse=True)[1]


def require_one_dose(roles: Roles, model: str) -> None:
    """Refuse a second dose and covariates, which these designs do not take."""
    if len(roles.doses) != 1:
        names = ", ".join(roles.doses)
        raise ModelError(f"{model} takes one treatment column in 'doses'; it was given {names}.")
    if roles.covariates:
        names = ", ".join(roles.covariates)
        raise ModelError(f"{model} takes no covariates; it was given {names}.")


def one_of(value: str, known: Sequence[str], what: str = "option") -> None:
    """Refuse an option that does not exist."""
    if value not in known:
        raise ModelError(f"Unknown {what} '{value}': use {' or '.join(known)}.")


def _timed_rows(panel: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Complete rows; refuses regions whose timing is missing throughout, for 0 means never."""
    panel = plain(panel, roles)
    if roles.wave in panel.columns and not pd.api.types.is_numeric_dtype(panel[roles.wave]):
        raise ModelError(f"Column '{roles.wave}' must be numeric; it is {panel[roles.wave].dtype}.")
    frame, _ = complete(panel, roles)
    untimed = panel.groupby(roles.region)[roles.dose].count().eq(0)
    if untimed.any():
        raise ModelError(
            f"Column '{roles.dose}' is missing throughout in {untimed.sum()} regions, first "
            f"{untimed.index[untimed][0]}; write 0 for regions never treated."
        )
    return frame


def _start_by_indicator(table: pd.DataFrame, name: str) -> np.ndarray:
    """Year of the first wave with a 1, 0 where there is none; refuses treatments that end."""
    values = table.to_numpy()
    reached = np.fmax.accumulate(np.where(np.isnan(values), -np.inf, values), axis=1)
    ended = ((values == 0) & (reached == 1)).any(axis=1)
    if ended.any():
        raise ModelError(
            f"'{name}' returns from 1 to 0 in {table.index[ended][0]}; treatment must stay once "
            "given."
        )
    first = table.columns.to_numpy()[(values == 1).argmax(axis=1)]
    return np.where((values == 1).any(axis=1), first, 0)


def _first_treated(frame: pd.DataFrame, roles: Roles) -> np.ndarray:
    """First treated year of each region, 0 for never, from such years or from a 0/1 indicator."""
    name, dose = roles.dose, frame[roles.dose]
    table = frame.pivot_table(index=roles.region, columns=roles.wave, values=name)
    if (dose % 1 != 0).any():
        raise ModelError(
            f"'{name}' holds fractions: it is neither a first treated year (0 for never) nor 0/1. "
            "This design takes the timing of a designation, not an amount."
        )
    if dose.isin([0, 1]).all():
        return _start_by_indicator(table, name)
    low, high = table.min(axis=1), table.max(axis=1)
    if (low != high).any():
        region = table.index[low != high][0]
        raise ModelError(f"'{name}' gives {region} two first treated years; it must be constant.")
    if (low < 0).any():
        raise ModelError(f"'{name}' holds negative years, first for {table.index[low < 0][0]}.")
    return low.to_numpy()


def timed_panel(panel: pd.DataFrame, roles: Roles) -> Timed:
    """Read a long panel whose dose is a first treated year (0 for never) or a 0/1 indicator.

    A year between two waves starts treatment at the later one. Regions treated in the first wave
    have no untreated outcome and are left out and counted.

    Raises
    ------
    ModelError : a column absent, not numeric or infinite, a region twice in a wave, a negative
        variance, a treatment that ends or has two starts, one wave, nobody or everybody treated.
    """
    frame = _timed_rows(panel, roles)
    axes = {"index": roles.region, "columns": roles.wave}
    y = frame.pivot_table(**axes, values=roles.outcome)
    waves = y.columns.to_numpy()
    if len(waves) < 2:
        raise ModelError(f"The panel has {len(waves)} wave(s); before and after need at least 2.")
    year = _first_treated(frame, roles)
    start = np.where(year > 0, np.searchsorted(waves, year), NEVER)
    later, kept = start == len(waves), start != 0
    start, known = np.where(later, NEVER, start)[kept], None
    if roles.variance is not None:
        known = frame.pivot_table(**axes, values=roles.variance)
        known = known.reindex_like(y).to_numpy()[kept]
    always = int((~kept).sum())
    _require_contrast(start, waves, roles.dose, always)
    counts = {"dropped": len(panel) - len(frame), "always": always, "later": int(later.sum())}
    return Timed(y.index.to_numpy()[kept], waves, y.to_numpy()[kept], known, start, **counts)


def _require_contrast(start: np.ndarray, waves: np.ndarray, name: str, always: int) -> None:
    """Refuse a panel in which nobody, or everybody at once, is treated."""
    if not (start != NEVER).any():
        raise ModelError(
            f"'{name}' treats no region after the first of the waves {waves[0]} to {waves[-1]} "
            f"({always} were treated from the first on). This design needs regions treated during "
            "the panel."
        )
    if len(set(start.tolist())) == 1:
        raise ModelError(
            f"'{name}' treats every region in the same wave ({waves[start[0]]}); there is no "
            "untreated region to compare with."
        )
