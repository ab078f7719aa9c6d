"""Respondents of a survey, from Parquet or CSV files to totals of primary units, in SQL.

The files are read once into a temporary database on disk: all of them, or none where something is
wrong. What comes into memory are totals, whose number is that of units and domains.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError, shown
from evaluation.survey.linear import Calibrated, Design, Totals

if TYPE_CHECKING:
    import duckdb

SCORES = (0.0, 100.0)
# What a column may be to the design; others are what rates are broken down by.
NUMBERS, LABELS = ("score", "weight", "fpc"), ("id", "stratum", "psu", "region", "wave", "mode")
ROLES = (*NUMBERS, *LABELS)
UNLABELLED = (*NUMBERS, "id", "stratum", "psu")  # nothing is broken down by these
PIECE = 1 << 20
# A letter of three bytes in UTF-8: Chinese in GB18030 hardly ever looks like a line of them.
THREE = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")
WITHOUT = "(none)"  # the group of those who did not say


@dataclass(frozen=True)
class Plan:
    """How files are to be read.

    Attributes
    ----------
    columns : names in the files by role (``ROLES``) or breakdown, where they differ. by : further
        columns, what rates are broken down by. regions : codes that may occur; empty for any.
    nested : primary units are numbered anew in each stratum. panel : waves visit the same units;
        otherwise each wave is a sample of its own. lonely : see :class:`linear.Design`.
    shifts : points to add to the score of each mode, as a mode experiment found them.
    memory : most that the database may take, such as ``1GB``. threads : 0 for all.
    """

    columns: Mapping[str, str]
    by: Sequence[str] = ()
    regions: Collection[str] = ()
    nested: bool = False
    panel: bool = False
    lonely: str = "fail"
    shifts: Mapping[str, float] | None = None
    memory: str = "1GB"
    threads: int = 0


@dataclass(frozen=True)
class Respondents:
    """A checked sample; use it as a context, or close it.

    ``names`` are its roles and breakdowns, ``strata`` one row a stratum (``drawn``, ``units``,
    ``name``), ``view`` the relation with column ``w``, the weight in use, and ``cell`` where
    weights are calibrated.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Any
    count: int
    names: tuple[str, ...]
    strata: pd.DataFrame
    lonely: str
    view: str = "people"
    calibration: Calibrated | None = None

    def __enter__(self) -> Respondents:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()
        self.folder.cleanup()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Answer of the database as a frame; labels as categories."""
        return self.connection.execute(sql, parameters).df()

    def known(self, by: Sequence[str]) -> str:
        """Columns of a breakdown as SQL.

        Raises
        ------
        KepuError : a column that was not read.
        """
        there = [name for name in self.names if name not in UNLABELLED]
        unknown = [name for name in by if name not in there]
        if unknown:
            raise KepuError(f"no column '{unknown[0]}' to group by — there are {', '.join(there)}")
        return ", ".join(map(quoted, by))

    def again(self, view: str, select: str, calibration: Calibrated | None) -> Respondents:
        """The same sample with other weights: ``select`` gives its columns, ``w`` among them."""
        self.connection.execute(f"CREATE OR REPLACE VIEW {view} AS {select}")
        return replace(self, view=view, calibration=calibration)

    def totals(
        self, by: Sequence[str], values: Mapping[str, str], joined: str = "", where: str = "TRUE"
    ) -> Totals:
        """Totals of ``values`` (SQL of one respondent) in each unit and domain.

        ``joined`` are further relations, ``where`` a condition, both SQL of this program.
        """
        alone, domain = "unit" not in self._columns, self.known(by)
        parts = ["stratum", *(["w", *values.values()] if alone else ["unit"])]
        parts += ["cell"] if self.calibration else []
        sums = [f"sum(w * ({sql})) AS {quoted(name)}" for name, sql in values.items()]
        grouped = f"SELECT {', '.join(filter(None, (domain, *parts[: 1 if alone else None])))}"
        found = self.query(
            f"{grouped}, count(*) AS count, sum(w) AS weight, {', '.join(sums)} "
            f"FROM {self.view} {joined} WHERE {where} "
            f"GROUP BY {', '.join(filter(None, (domain, *parts)))}"
        )
        code, labels = _coded(found, list(by))
        times = found["count"].to_numpy(float) if alone else None
        each = 1.0 if times is None else times
        return Totals(
            self.design, labels, found["stratum"].to_numpy(),
            np.arange(len(found)) if alone else found["unit"].to_numpy(), code,
            found["count"].to_numpy(float) / each,
            {name: found[name].to_numpy(float) / each for name in ["weight", *values]}, times,
            found["cell"].to_numpy() if self.calibration else None, self.calibration,
        )  # fmt: skip

    @property
    def _columns(self) -> set[str]:
        return {row[0] for row in self.connection.execute(f"DESCRIBE {self.view}").fetchall()}

    @property
    def design(self) -> Design:
        drawn, units, name = (self.strata[c].to_numpy() for c in ("drawn", "units", "name"))
        return Design(drawn, units, name, self.lonely)


def _coded(found: pd.DataFrame, by: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """Domains of rows as codes from 0, and their labels in order."""
    if not by:
        return np.zeros(len(found), dtype=int), pd.DataFrame(index=range(1))
    kinds = [found[name].cat for name in by]
    sizes = [max(1, len(kind.categories)) for kind in kinds]
    code = np.ravel_multi_index([kind.codes.to_numpy(np.int64) for kind in kinds], sizes)
    there = np.flatnonzero(np.bincount(code, minlength=1))  # few labels cross to few domains
    place = np.zeros(there.max(initial=0) + 1, dtype=int)
    place[there] = np.arange(len(there))
    crossed = zip(by, kinds, np.unravel_index(there, sizes), strict=True)
    labels = {name: kind.categories[at].astype(str) for name, kind, at in crossed}
    return place[code], pd.DataFrame(labels)


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def read(files: Sequence[Path], plan: Plan) -> Respondents:
    """Read, check and code respondents.

    Parameters
    ----------
    files : Parquet or CSV files, or folders of them, also partitioned as ``wave=2024/``.

    Raises
    ------
    KepuError : files that cannot be read, columns that are not there, and every breach of what a
        sample owes (weights, scores, regions, strata, ids). Nothing is kept then.
    """
    return _opened(lambda root: _source(files, root), plan)


def of_frame(frame: pd.DataFrame, plan: Plan) -> Respondents:
    """Respondents of a frame, checked as those of :func:`read`."""
    return _opened(lambda _: ("given", "TABLE", "the frame"), plan, frame)


def _opened(source, plan: Plan, frame: pd.DataFrame | None = None) -> Respondents:
    """The sample in a database of its own; ``source`` gives its SQL, what to make of it, a name."""
    import duckdb  # slow to import, and few commands need it

    folder = tempfile.TemporaryDirectory(prefix="kepu-survey-", ignore_cleanup_errors=True)
    root = Path(folder.name)
    settings = {"memory_limit": plan.memory, "temp_directory": str(root / "spill"),
                "preserve_insertion_order": False,
                **({"threads": plan.threads} if plan.threads else {})}  # fmt: skip
    connection = duckdb.connect(str(root / "sample.duckdb"), config=settings)
    try:
        if frame is not None:
            connection.register("given", frame)
        names = _raw(connection, *source(root), plan)
        count = _checked(connection, names, plan)
        strata = _people(connection, names, plan)
        return Respondents(connection, folder, count, names, strata, plan.lonely)
    except BaseException as error:
        connection.close()
        folder.cleanup()
        if isinstance(error, duckdb.Error):
            told = str(error).splitlines()[0][:300]
            raise KepuError(f"the respondents cannot be read: {told} — correct the file") from None
        raise


# ------------------------------------------------------------------------------------------
# From files to a relation of known columns.


def _source(files: Sequence[Path], root: Path) -> tuple[str, str, str]:
    paths, kind = _found(files)
    if kind == "csv":
        paths = [_utf8(path, root / f"{number}.csv") for number, path in enumerate(paths)]
    listed = "[" + ", ".join(_literal(str(path)) for path in paths) + "]"
    parts = "hive_partitioning=true, hive_types_autocast=false"
    if kind == "csv":
        return f"read_csv({listed}, all_varchar=true, header=true, {parts})", "TABLE", paths[0].name
    return f"read_parquet({listed}, {parts})", "VIEW", paths[0].name


def _raw(connection, source: str, relation: str, name: str, plan: Plan) -> tuple[str, ...]:
    """Make the relation ``raw``: roles and breakdowns under their own names. Returns these."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    there = {row[0]: row[1] for row in described}
    wanted = {role: plan.columns.get(role, role) for role in (*ROLES, *plan.by, *plan.columns)}
    asked = {*plan.columns, *plan.by, "score", "weight"}
    for role, column in wanted.items():
        if column not in there and role in asked:
            raise KepuError(
                f"{shown(name)}: no column '{column}' for {role} — name it as {role}=COLUMN; "
                f"there are {', '.join(there)}"
            )
    names = tuple(role for role, column in wanted.items() if column in there)
    if plan.shifts and "mode" not in names:
        raise KepuError("scores can be shifted by mode only where a column 'mode' is named")
    columns = ", ".join(_column(r, quoted(wanted[r]), there[wanted[r]]) for r in names)
    connection.execute(f"CREATE {relation} raw AS SELECT {columns} FROM {source}")
    return names


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _column(name: str, column: str, kind: str) -> str:
    if name in NUMBERS:
        return f"TRY_CAST({column} AS DOUBLE) AS {quoted(name)}"
    if name in ("id", "psu") and kind != "VARCHAR":  # many, and numbers are grouped sooner
        return f"{column} AS {quoted(name)}"
    return f"nullif(trim(CAST({column} AS VARCHAR)), '') AS {quoted(name)}"


def _found(files: Sequence[Path]) -> tuple[list[Path], str]:
    """The files themselves, and whether they are Parquet or CSV."""
    paths: list[Path] = []
    for path in files:
        if not path.exists():
            raise KepuError(f"{shown(path)} is not there — name files of respondents, or a folder")
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".csv", ".parquet"))
        paths += inside if path.is_dir() else [path]
    kinds = {path.suffix.lower().removeprefix(".") for path in paths}
    if len(kinds) != 1 or not kinds <= {"csv", "parquet"}:
        told = ", ".join(sorted(kinds)) or "no file"
        raise KepuError(f"respondents come as csv or parquet, all alike; given: {told}")
    return paths, kinds.pop()


def _utf8(path: Path, copy: Path) -> Path:
    """A CSV file that is UTF-8: the file itself, or a copy of one in GB18030."""
    if _decodes(path, "utf-8"):
        return path
    own = other = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.isascii():
                try:
                    line.decode("utf-8")
                    own = own or (number if THREE.search(line) else 0)
                except UnicodeDecodeError:
                    other = other or number
            if own and other:
                raise KepuError(
                    f"{shown(path)}: two encodings in one file, UTF-8 in line {own} and another "
                    f"in line {other} — save it as CSV UTF-8"
                )
    if not _decodes(path, "gb18030", copy):
        raise KepuError(f"{shown(path)} is neither UTF-8 nor GB18030 — save it as CSV UTF-8")
    if path.parent.name.partition("=")[1]:  # a partition is told by its folder
        place = copy.parent / copy.stem / path.parent.name
        place.mkdir(parents=True)
        return copy.rename(place / copy.name)
    return copy


def _decodes(path: Path, encoding: str, copy: Path | None = None) -> bool:
    """Whether all of a file can be decoded; ``copy`` receives it in UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    target = copy.open("w", encoding="utf-8", newline="") if copy else None
    try:
        with path.open("rb") as stream:
            while piece := stream.read(PIECE):
                text = decoder.decode(piece)
                if target:
                    target.write(text)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        if target:
            target.close()
    return True


# ------------------------------------------------------------------------------------------
# What a sample owes.


def _checked(connection, names: tuple[str, ...], plan: Plan) -> int:
    """Respondents; every kind of fault is told at once.

    Raises
    ------
    KepuError : naming each fault, how many have it, an example and what to do.
    """
    _units(connection, names)
    faults = list(_faults(connection, names, plan))
    if faults:
        raise KepuError("\n".join(["the respondents cannot be used, nothing was kept:", *faults]))
    for mode, points in (plan.shifts or {}).items():
        if not np.isfinite(points):
            raise KepuError(f"the shift of mode {mode} is {points} — give points of the score")
    shift = "score"
    if plan.shifts:
        cases = " ".join(f"WHEN {_literal(m)} THEN {p:.17g}" for m, p in plan.shifts.items())
        shift = f"least({SCORES[1]}, greatest({SCORES[0]}, score + CASE mode {cases} ELSE 0 END))"
    connection.execute(f"CREATE VIEW checked AS SELECT * REPLACE ({shift} AS score) FROM raw")
    return int(connection.execute("SELECT count(*) FROM raw").fetchone()[0])


def _faults(connection, names: tuple[str, ...], plan: Plan) -> Iterator[str]:
    tests = [(f"{name} IS NULL", name, f"no {name}, or no number or text that can be read as one",
              "fill it or leave the respondent out") for name in ROLES
             if name in names and name not in ("mode", "id")]  # fmt: skip
    tests += [
        ("weight <= 0 OR NOT isfinite(weight)", "weight", "a weight that is not above 0",
         "correct it; who has no weight is not in the sample"),
        (f"score NOT BETWEEN {SCORES[0]} AND {SCORES[1]}", "score", "a score outside 0 to 100",
         "bring the scores to points of 100"),
    ]  # fmt: skip
    if plan.regions and "region" in names:
        listed = ", ".join(_literal(str(code)) for code in plan.regions)
        tests.append((f"region NOT IN ({listed})", "region", "an unknown region",
                      "write the code that regions.csv has"))  # fmt: skip
    counts = ", ".join(f"count(*) FILTER ({test}), min({quoted(column)}) FILTER ({test})"
                       for test, column, *_ in tests)  # fmt: skip
    total, *found = connection.execute(f"SELECT count(*), {counts} FROM raw").fetchone()
    if not total:
        yield "no respondent is in the files — name others"
    for (_, _, rule, remedy), count, example in zip(tests, found[::2], found[1::2], strict=True):
        if count:
            told = "" if example is None else f" (such as {example})"
            yield f"{count:,} of {total:,} respondents have {rule}{told} — {remedy}"
    yield from _repeated(connection, names, plan)


def _repeated(connection, names: tuple[str, ...], plan: Plan) -> Iterator[str]:
    """Faults between rows: ids given twice, units in two strata, strata of two sizes."""
    wave = ", wave" if "wave" in names else ""
    strata = "stratum" if "stratum" in names else "*"  # one that is lacking is told elsewhere
    rules = (
        ("id", "raw", "id", "count(*) > 1", "ids stand in several rows",
         "keep each respondent once"),
        ("psu", "units", "psu", f"count({strata}) > 1", "primary units lie in two strata",
         "correct them; where units are numbered anew in each stratum say so (nested)"),
        ("fpc", "units", "stratum", "min(fpc) < max(most)", "strata have two values of fpc",
         "give the number of the stratum's primary units in each row"),
    )  # fmt: skip
    for column, table, key, test, rule, remedy in rules:
        if column not in names or (column == "psu" and plan.nested):
            continue
        count, example = connection.execute(
            f"SELECT count(*), min(key) FROM (SELECT {key} AS key{wave} FROM {table} "
            f"WHERE {key} IS NOT NULL GROUP BY ALL HAVING {test})"
        ).fetchone()
        if count:
            yield f"{count:,} {rule} (such as {example}) — {remedy}"


# ------------------------------------------------------------------------------------------
# Strata and units as numbers, labels as enumerations.


def _design(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name if name in names else "''" for name in ("wave", "stratum", "psu")}


def _units(connection, names: tuple[str, ...]) -> None:
    """Make the table ``units``: one row a primary unit in each wave and stratum."""
    design, fpc = _design(names), "fpc" if "fpc" in names else "CAST('inf' AS DOUBLE)"
    select = ", ".join(f"{column} AS {name}" for name, column in design.items())
    keys = [column for column in design.values() if column != "''"]
    connection.execute(
        f"CREATE TABLE units AS SELECT {select}, min({fpc}) AS fpc, max({fpc}) AS most, "
        f"count(*) AS n FROM raw GROUP BY {', '.join(keys) or '()'}"
    )


def _people(connection, names: tuple[str, ...], plan: Plan) -> pd.DataFrame:
    """Make the table ``people``; returns one row a stratum.

    Waves that are no panel are samples of their own, each with its own strata.
    """
    labels = [name for name in names if name not in UNLABELLED]
    design, drawn = _design(names), "psu" if "psu" in names else "''"
    own = "stratum" if plan.panel and drawn == "psu" else "wave, stratum"
    connection.execute(
        f"CREATE TABLE coded AS SELECT *, dense_rank() OVER (ORDER BY {own}) - 1 AS h, "
        f"dense_rank() OVER (ORDER BY {own}, psu) - 1 AS u FROM units"
    )
    size = "count(DISTINCT u)" if drawn == "psu" else "sum(n)::BIGINT"
    strata = connection.execute(
        f"SELECT h, {size} AS drawn, min(fpc) AS units, min(stratum) AS name "
        "FROM coded GROUP BY h ORDER BY h"
    ).df()
    enums = []
    for name in labels:
        kind, column = quoted(f"type_{name}"), f"coalesce({quoted(name)}, {_literal(WITHOUT)})"
        connection.execute(
            f"CREATE TYPE {kind} AS ENUM (SELECT DISTINCT {column} FROM checked ORDER BY 1)"
        )
        enums.append(f"CAST({column} AS {kind}) AS {quoted(name)}")
    unit = ["CAST(c.u AS INTEGER) AS unit"] if drawn == "psu" else []
    on = [f"p.{name} = c.{name}" for name, column in design.items() if column != "''"]
    columns = ["CAST(c.h AS INTEGER) AS stratum", *unit, "weight AS w", "score"]
    columns += [enum.replace("coalesce(", "coalesce(p.") for enum in enums]
    connection.execute(
        f"CREATE TABLE people AS SELECT {', '.join(columns)} FROM checked p "
        f"JOIN coded c ON {' AND '.join(on) or 'TRUE'}"
    )
    connection.execute("DROP VIEW checked")
    connection.execute("DROP VIEW IF EXISTS raw" if _is_view(connection) else "DROP TABLE raw")
    return strata.drop(columns="h")


def _is_view(connection) -> bool:
    found = "SELECT count(*) FROM duckdb_views() WHERE view_name = 'raw'"
    return bool(connection.execute(found).fetchone()[0])
