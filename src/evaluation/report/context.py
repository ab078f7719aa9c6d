"""What every section of a report is given: the study, the region and the writer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
from markupsafe import Markup

from evaluation import slices
from evaluation.report.blocks import Paragraph
from evaluation.report.writer import Writer
from evaluation.study import Study

NATION = "100000"


@dataclass(eq=False)
class Context:
    """One region's report in one language.

    ``date`` is the ISO date printed on the report; its year decides which targets are due.
    ``codes`` are the regions of an overview, empty in a regional report.
    """

    study: Study
    code: str
    writer: Writer
    date: str
    first_year: int
    provenance: dict[str, str]
    codes: list[str] = field(default_factory=list)

    @cached_property
    def region(self) -> pd.Series:
        return self.study.dataset.regions.set_index("code").loc[self.code]

    @cached_property
    def is_province(self) -> bool:
        return self.region["level"] == "province"

    @cached_property
    def below(self) -> list[str]:
        """Units of a region set whose parent is among the regions of the overview."""
        dataset = self.study.dataset
        regions = dataset.regions.set_index("code")
        inside = regions.index[regions["parent_code"].isin(self.codes)]
        listed = inside[inside.isin(dataset.region_sets["code"])]
        return [code for code in listed if code not in self.codes]

    @cached_property
    def province_count(self) -> int:
        return int((self.study.dataset.regions["level"] == "province").sum())

    @property
    def today(self) -> int:
        return int(self.date[:4])

    @property
    def parent(self) -> str:
        return self.region["parent_code"] or NATION

    @property
    def surveyed_above(self) -> str:
        """The nearest unit the region belongs to that has a surveyed rate."""
        surveyed = set(self.study.rates["region_code"])
        above = slices.lineage(self.study.dataset, self.code)[1:]
        return next((code for code in above if code in surveyed), NATION)

    @property
    def name(self) -> str:
        return self.writer.name(self.code)

    @cached_property
    def facts(self) -> pd.DataFrame:
        facts = self.study.dataset.facts
        return facts[facts["region_code"] == self.code]

    @cached_property
    def fact_rows(self) -> pd.DataFrame:
        """All facts by identifier."""
        return self.study.dataset.facts.set_index("fact_id", drop=False)

    @cached_property
    def contradicted(self) -> dict[str, list[str]]:
        """Identifiers of the recorded contradictions that name a fact, by fact."""
        found: dict[str, list[str]] = {}
        for item in self.study.dataset.contradictions.itertuples():
            for fact in item.fact_ids.split(";"):
                found.setdefault(fact, []).append(item.contradiction_id)
        return found

    @cached_property
    def _rates(self) -> tuple[pd.DataFrame, dict]:
        ordered = self.study.rates.sort_values("wave", kind="stable")
        return ordered, ordered.groupby("region_code").indices

    def rates_of(self, code: str) -> pd.DataFrame:
        ordered, places = self._rates
        return ordered.take(places.get(code, []))

    def rate(self, code: str, wave: int) -> pd.Series | None:
        rows = self.rates_of(code)
        rows = rows[rows["wave"] == wave]
        return None if rows.empty else rows.iloc[0]

    def fact(self, fact_id: str, unit: bool = True) -> Markup:
        return self.writer.fact(self.fact_rows.loc[fact_id], unit)

    def rate_text(self, row: pd.Series | None) -> Markup:
        """A published rate with its interval, e.g. ``10.04% (95% interval 9.2–10.9%)``."""
        w = self.writer
        if row is None:
            return w.t("missing.value")
        value = self.fact(row["fact_id"])
        key = f"rate.{row['region_code']}.{row['wave']}"
        interval = w.interval(key, row["low"], row["high"], "percent", 1)
        return w.joined(value, interval)

    def difference(
        self, key: str, a: pd.Series, b: pd.Series, unit: str = "percentage_point"
    ) -> tuple[float, float, Markup]:
        """Ends and text of the difference of two surveyed rates, in percentage points."""
        w = self.writer
        value = a["rate"] - b["rate"]
        half = 1.959963984540054 * (a["variance"] + b["variance"]) ** 0.5
        text = w.joined(
            w.number(key, value, unit, 2, signed=True),
            w.interval(key, value - half, value + half, "", 1),
        )
        return value - half, value + half, text

    def listed(self, names: Iterable[object]) -> str:
        """Names in a row: with 、 in Chinese, with commas and a last "and" in English."""
        words = [str(name) for name in names]
        if self.writer.language == "zh":
            return "、".join(words)
        return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])

    def captioned(self, says: Markup, caption: Markup) -> Markup:
        """A caption that opens with what the figure shows."""
        return self.writer.joined(Markup("<strong>{}</strong>").format(says), caption)

    def missing(self, key: str, **values: object) -> Paragraph:
        """A sentence for what is not there and the rows that would fill it."""
        code = Markup("<code>{}</code>").format(self.code)
        text = self.writer.t(key, region=self.name, code=code, **values)
        return Paragraph(text, "missing")
