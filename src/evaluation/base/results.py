"""The frozen ``Result`` and ``Check``, and how objects speak in a notebook."""

from __future__ import annotations

import importlib
import json
import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.text import chance, fixed, rounded, t

if TYPE_CHECKING:
    from evaluation.figures.svg import Picture

# ------------------------------------------------------------------------------------------
# How objects speak in a notebook: sentences in both languages, a table, one line of text.


MOST_LOCKS = 5
# Below this many locks nothing but a description is permitted, and no ratio is printed.
LEAST_LOCKS = 1
SHOWN_ROWS = 25
# Which numbers of a check are counts, shares or chances; all others are in the unit of the outcome.
COUNTS = {"count", "changes", "left_out", "draws", "doses", "differing", "not_estimable"}
SHARES = {"opposite_share", "departing_share", "sign_share", "rv", "strongest", "lost", "apart"}
P_VALUES = {"p", "p_holm"}  # columns of tables
CHANCES = {"p", "p_square"}


class Spoken:
    """Shows in a notebook what :meth:`summary` says above what :meth:`table` holds."""

    def summary(self, language: str = "en") -> str:
        """Say what the object holds, in plain sentences."""
        raise NotImplementedError

    def table(self) -> pd.DataFrame:
        """The numbers behind the sentences, tidy."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return card(self.summary(), self.table())


def figures(module: str = "charts") -> Any:
    """A module of :mod:`evaluation.figures`.

    Imported by name: what computes neither waits for figures nor counts as changed with it.
    """
    return importlib.import_module(f"evaluation.figures.{module}")


def say(key: str, language: str, **values: object) -> str:
    """A text of the table as plain words."""
    return t(key, language, **values).striptags()


def whole(value: float) -> str:
    """A count with its thousands set off.

    >>> whole(12345)
    '12,345'
    """
    return f"{value:,.0f}"


def points(value: float) -> str:
    """A difference in percentage points with its sign.

    >>> points(0.0123), points(-1.5)
    ('+0.012', '−1.500')
    """
    text = fixed(value, 3)
    return f"+{text}" if value > 0 else text


def percent(share: float) -> str:
    """A share between 0 and 1 in per cent.

    >>> percent(0.3125)
    '31%'
    """
    return f"{fixed(100 * share, 0)}%"


def check_value(name: str, value: float, language: str) -> object:
    """A number of a check as its sentence prints it."""
    if name in COUNTS:
        return whole(value)
    if name in SHARES:
        return f"{fixed(100 * value, 1)}%"
    if name in CHANCES:
        return t("number.p", language, p=chance(value).removeprefix("= "))
    return fixed(value, 3 if abs(value) < 1 else 1)


def card(text: str, frame: pd.DataFrame) -> str:
    """A paragraph above the first rows of a table, as HTML; nothing of either is markup."""
    shown = frame.head(SHOWN_ROWS)
    shown = shown.apply(lambda column: column.map(_chance if column.name in P_VALUES else _cell))
    more = Markup("<p>… {} / {}</p>").format(SHOWN_ROWS, len(frame))
    rest = more if len(frame) > SHOWN_ROWS else ""
    return Markup("<p>{}</p>").format(text) + Markup(shown.to_html(index=False, border=0)) + rest


def _chance(p: Any) -> str:
    """A p-value, never zero."""
    return "" if pd.isna(p) else chance(p).removeprefix("= ")


def _cell(value: Any) -> Any:
    """Three decimals are enough to read; missing values stay empty, years are no counts."""
    if isinstance(value, int) and value >= 10_000:
        return whole(value)
    if isinstance(value, float):
        return "" if pd.isna(value) else fixed(value, 3) if abs(value) < 1000 else whole(value)
    return value


# ------------------------------------------------------------------------------------------
# The small frozen objects that pass between the layers.


COLUMNS = ["term", "estimate", "se", "low", "high", "p"]
# Procedures the summary names in the reader's language; others stand as the result calls them.
PROCEDURES = ("wild_cluster_bootstrap", "randomisation_inference")
# Models that report a quantity of their own, not the coefficient of a dose.
QUANTITIES = ("elastic_net", "mean_gain")
UNITS = ("percentage_point", "percentage_point_per_year")


@dataclass(frozen=True)
class Result:
    """One estimate with the inference that made its interval.

    Attributes
    ----------
    model : registry name of the estimator, e.g. ``"gain_regression"``.
    outcome, term : column names of the outcome and of the regressor reported.
    estimate, se, low, high : in ``unit``; ``se`` is cluster-robust (CRV1), for information only.
    level : coverage of ``(low, high)``, a share, e.g. 0.95.
    p : two-sided p-value of the same test whose inversion gave the interval; never 0.
    inference : name of the procedure, e.g. ``"wild cluster bootstrap, Webb, 9999 draws"``.
    clusters, observations : numbers used.
    unit : unit of the estimate, a key of ``units.csv``.
    coefficients : all coefficients as records ``{"term", "estimate", "se"}``; the doses also carry
        ``"low", "high", "p"`` of the same inference.
    draws : draws behind the inference, 0 where it is analytic.
    support : share of the observations that carry the estimate, 0 to 1, missing where undefined.
    details : further numbers of the fit (sigma2, condition number, dropped rows, ...): what JSON
        can hold, not-a-number and infinity included.
    """

    model: str
    outcome: str
    term: str
    estimate: float
    se: float
    low: float
    high: float
    level: float
    p: float
    inference: str
    clusters: int
    observations: int
    unit: str
    coefficients: tuple[dict[str, Any], ...] = ()
    draws: int = 0
    support: float = float("nan")
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``positive``, ``negative`` or ``unknown`` (the interval holds zero)."""
        if self.low > 0:
            return "positive"
        return "negative" if self.high < 0 else "unknown"

    def table(self) -> pd.DataFrame:
        """One coefficient a row: ``term, estimate, se, low, high, p``.

        The last three are missing for effects and covariates, which are not tested.
        """
        return pd.DataFrame(list(self.coefficients)).reindex(columns=COLUMNS)

    def summary(self, language: str = "en") -> str:
        """Say the result in sentences of plain text, numbers rounded to the size of the error."""
        shown = {
            name: rounded(getattr(self, name), self.se, t("number.unbounded", language))
            for name in ("estimate", "low", "high")
        }
        unit = t(f"result.unit.{self.unit}", language) if self.unit in UNITS else self.unit
        known = self.inference.partition(",")[0].replace(" ", "_")
        key = known if known in PROCEDURES else "procedure"
        how = t(f"result.{key}", language, draws=f"{self.draws:,}", inference=self.inference)
        verdict = t(f"result.{self.verdict}", language)
        sentence = "result.quantity" if self.model in QUANTITIES else "result.summary"
        if self.model in QUANTITIES and self.verdict == "unknown":
            verdict = t("result.quantity.unknown", language)
        text = t(
            sentence, language, term=self.term, outcome=self.outcome, unit=unit,
            level=f"{100 * self.level:g} %", p=Markup.escape(chance(self.p)), how=how,
            observations=f"{self.observations:,}", regions=self.clusters, verdict=verdict, **shown,
        )  # fmt: skip
        return text.striptags()

    def plot(self, language: str = "en") -> Picture:
        """Tested coefficients with their intervals about zero."""
        rows = self.table().dropna(subset=["low", "high"])
        if rows.empty:  # a quantity of its own, not the coefficient of a dose
            rows = pd.DataFrame([vars(self)])
        return figures().estimates(rows.rename(columns={"term": "label"}), self._axis(language))

    def _axis(self, language: str) -> str:
        """What one unit is: a doubling of a dose, a standard deviation of the composite."""
        if self.unit not in UNITS:
            return self.unit
        if self.term == "composite":
            return str(t(f"axis.{self.unit}", language))
        doubled = self.term.startswith("log2_") and self.unit == UNITS[1]
        return str(t("axis.effect" if doubled else f"result.unit.{self.unit}", language))

    def to_json(self) -> str:
        """Serialise without loss as strict JSON; see :meth:`from_json`.

        Raises
        ------
        TypeError : a detail that JSON cannot give back, e.g. an array.
        """
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        record = _plain(values | {"coefficients": list(self.coefficients)})
        return json.dumps(record, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Rebuild a result written by :meth:`to_json`."""
        data = json.loads(text, object_hook=_rebuilt)
        return cls(**data | {"coefficients": tuple(data["coefficients"])})

    def __eq__(self, other: object) -> bool:
        """Equal in every field; a missing number equals a missing number."""
        return isinstance(other, Result) and self.to_json() == other.to_json()

    def __repr__(self) -> str:
        return (
            f"Result({self.model}: {self.term} = {self.estimate:.3g} "
            f"[{self.low:.3g}, {self.high:.3g}] {self.unit}, p {chance(self.p)}, "
            f"{self.observations} observations, {self.clusters} clusters, {self.inference})"
        )

    def _repr_html_(self) -> str:
        """The summary and the table of coefficients, as a notebook shows them."""
        table = self.table()
        shown = table.astype(object)
        for name in COLUMNS[1:5]:
            ends = zip(table[name], table["se"], strict=True)
            shown[name] = ["" if pd.isna(value) else rounded(value, se) for value, se in ends]
        shown["p"] = ["" if pd.isna(p) else chance(p).removeprefix("= ") for p in table["p"]]
        text = Markup("<p>{}</p>").format(self.summary())
        return text + Markup(shown.to_html(index=False, border=0))


def _plain(value: Any) -> Any:
    """What strict JSON holds; tuples and numbers that are not finite are tagged."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(float(value))}
    if isinstance(value, dict):
        if not all(isinstance(key, str) and key[:1] != "$" for key in value):
            raise TypeError(f"Details have text keys without a leading '$': {list(value)}.")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return {"$tuple": [_plain(item) for item in value]}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _rebuilt(record: dict[str, Any]) -> Any:
    if "$float" in record:
        return float(record["$float"])
    return tuple(record["$tuple"]) if "$tuple" in record else record


@dataclass(frozen=True, repr=False)
class Check(Spoken):
    """One robustness check of an estimate.

    Attributes
    ----------
    name : registry name, e.g. ``"leave_one_region_out"``.
    passed : ``True``, ``False``, or ``None`` where the check informs and cannot fail.
    key : text key of the sentence it permits.
    values : numbers of that sentence by placeholder.
    rows : the tidy table behind it, one record a row.
    """

    name: str
    passed: bool | None
    key: str
    values: dict[str, float] = field(default_factory=dict)
    rows: tuple[dict[str, Any], ...] = ()

    def table(self) -> pd.DataFrame:
        """The numbers behind the verdict, one row each."""
        return pd.DataFrame(list(self.rows))

    @property
    def state(self) -> str:
        """``passed``, ``failed``, ``informs`` or ``impossible`` (it cannot be made)."""
        if self.key == "check.impossible":
            return "impossible"
        return {True: "passed", False: "failed", None: "informs"}[self.passed]

    def summary(self, language: str = "en") -> str:
        """Name, verdict and the sentence the check permits, in plain words.

        Examples
        --------
        >>> values = {"left_out": 3, "estimate": 0.2, "low": -0.1, "high": 0.5}
        >>> Check("breaks", True, "check.breaks.passed", values).summary()[:36]
        'Changes of the survey method: passed'
        """
        values = {name: check_value(name, x, language) for name, x in self.values.items()}
        words = t(self.key, language, **values)
        name, state = (
            t(f"check.{kind}", language) for kind in (f"name.{self.name}", f"state.{self.state}")
        )
        return say("speak.check", language, name=name, state=state, words=words)

    def plot(self, language: str = "en") -> Picture:
        """Estimates of the refits behind the verdict; raises ``KepuError`` where there are none."""
        rows = self.table()
        if "estimate" not in rows or len(rows) < 2:
            raise KepuError(f"No figure of the check '{self.name}'; see its table.")
        if "left_out" in rows:
            rows = rows.assign(label=rows["left_out"].astype(str))
        else:
            rows = rows.sort_values("estimate").assign(label=[str(i + 1) for i in range(len(rows))])
        step = -(-len(rows) // 40)  # of many specifications every so manieth, in order of size
        return figures().estimates(rows.iloc[::step], str(t(f"check.name.{self.name}", language)))

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value:.3g}" for name, value in self.values.items())
        return f"Check({self.name}: {self.state}; {numbers})"
