"""The front page of a folder: table, maps and small trends, in one file that stands alone."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.text import FORMATS, OFFICIAL, policy
from evaluation.batch.cells import (
    ABSENT,
    OUTSIDE,
    SEMICOLONS,
    Paint,
    Pair,
    Row,
    both,
    cells,
    clean,
    inputs,
    joined,
    label,
    legend,
    measures,
    paints,
    pair,
    rate,
    rows,
    words_of,
)

if TYPE_CHECKING:
    from jinja2 import Environment

# ------------------------------------------------------------------------------------------
# A user's own approved boundaries (GeoJSON) as SVG paths, in place of tiles.


MAP_WIDTH = 1000.0  # of the drawing; its height follows
DEGREES = math.pi / 180
Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """One region: its code and the path of its rings."""

    code: str
    path: str


@dataclass(frozen=True)
class Boundaries:
    """Projected shapes in a box ``width`` by ``height``, and the approval they are shown under."""

    shapes: tuple[Shape, ...]
    width: float
    height: float
    approval: str


def boundaries(geojson: Any, *, approval: str, code: str = "adcode") -> Boundaries:
    """Project the polygons of a FeatureCollection (degrees, WGS 84 or CGCS2000).

    Albers' equal-area conic, standard parallels a sixth of the extent inside its north and south
    edge (Snyder 1987, Map Projections: A Working Manual, USGS PP 1395, p. 98-103).

    Parameters
    ----------
    geojson : FeatureCollection of Polygon or MultiPolygon features.
    approval : approval number of the map, printed beneath it.
    code : property that holds the GB/T 2260 code of a feature.

    Raises
    ------
    KepuError : no approval, no FeatureCollection, a feature without code or polygon, or a
        coordinate that is none.
    """
    if not str(approval).strip():
        raise KepuError("A map of boundaries needs its approval number (审图号): give 'approval'.")
    held = geojson if isinstance(geojson, Mapping) else {}
    features = held.get("features")
    if held.get("type") != "FeatureCollection" or not isinstance(features, list) or not features:
        raise KepuError(
            "The boundaries are no GeoJSON FeatureCollection with features — export the map as one."
        )
    rings = {}
    for number, feature in enumerate(features):
        rings.setdefault(_code(feature, code, number), []).extend(_rings(feature, number))
    project = _albers([point for parts in rings.values() for ring in parts for point in ring])
    flat = {name: [[project(p) for p in ring] for ring in parts] for name, parts in rings.items()}
    every = [point for parts in flat.values() for ring in parts for point in ring]
    left, top = min(x for x, _ in every), max(y for _, y in every)
    span = max(max(x for x, _ in every) - left, 1e-9)
    scale = MAP_WIDTH / span
    height = (top - min(y for _, y in every)) * scale
    shapes = tuple(
        Shape(name, "".join(_path(ring, left, top, scale) for ring in parts))
        for name, parts in flat.items()
    )
    return Boundaries(shapes, MAP_WIDTH, round(max(height, 1.0), 1), str(approval).strip())


def _code(feature: Any, name: str, number: int) -> str:
    held = feature if isinstance(feature, Mapping) else {}
    properties = held.get("properties")
    found = properties.get(name) if isinstance(properties, Mapping) else None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int | str) or found == "":
        raise KepuError(
            f"Feature {number} has no property '{name}' with a code — add the code of its region."
        )
    return clean(found)


def _rings(feature: Mapping[str, Any], number: int) -> Iterator[list[Point]]:
    held = feature.get("geometry")
    geometry = held if isinstance(held, Mapping) else {}
    kind, shape = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise KepuError(
            f"Feature {number} is no Polygon or MultiPolygon but {kind!s:.40} — leave it out."
        )
    for polygon in _list([shape] if kind == "Polygon" else shape, number):
        for ring in _list(polygon, number):
            points = [_point(pair, number) for pair in _list(ring, number)]
            if len(points) < 4:
                raise KepuError(f"Feature {number} has a ring of fewer than 4 points — mend it.")
            yield points


def _list(found: Any, number: int) -> list[Any]:
    if not isinstance(found, list) or not found:
        raise KepuError(f"Feature {number} has no list of coordinates but {found!r:.60} — mend it.")
    return found


def _point(pair: Any, number: int) -> Point:
    numbers = pair[:2] if isinstance(pair, list) else []
    if len(numbers) < 2 or any(type(n) not in (int, float) for n in numbers):
        raise KepuError(f"Feature {number} has a coordinate that is none: {pair!r:.60} — mend it.")
    longitude, latitude = numbers
    if not (-180 <= longitude <= 180 and -90 < latitude < 90):
        raise KepuError(
            f"Feature {number} has the coordinate {longitude!r:.30}, {latitude!r:.30}: degrees are "
            "needed — export the map in longitude and latitude."
        )
    return float(longitude), float(latitude)


def _albers(points: Sequence[Point]):
    """The projection for these points: a function of (longitude, latitude) in degrees."""
    if not points:
        raise KepuError("The boundaries hold no coordinates.")
    south, north = min(y for _, y in points), max(y for _, y in points)
    middle = (min(x for x, _ in points) + max(x for x, _ in points)) / 2
    inside = (north - south) / 6
    first, second = (south + inside) * DEGREES, (north - inside) * DEGREES
    n = (math.sin(first) + math.sin(second)) / 2
    if abs(n) < 1e-6:  # astride the equator the cone is a cylinder
        return lambda p: ((p[0] - middle) * DEGREES, math.sin(p[1] * DEGREES))
    c = math.cos(first) ** 2 + 2 * n * math.sin(first)

    def project(point: Point) -> Point:
        rho = math.sqrt(max(c - 2 * n * math.sin(point[1] * DEGREES), 0.0)) / n
        theta = n * (point[0] - middle) * DEGREES
        return rho * math.sin(theta), -rho * math.cos(theta)

    return project


def _path(ring: Sequence[Point], left: float, top: float, scale: float) -> str:
    """A closed path with a tenth of a unit; points that fall together are drawn once."""
    points = [f"{(x - left) * scale:.1f} {(top - y) * scale:.1f}" for x, y in ring]
    kept = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
    return f"M{'L'.join(kept)}Z"


# ------------------------------------------------------------------------------------------
# The small line of a region's rates, with intervals, on an axis common to all regions.


SPARK_WIDTH, HEIGHT, EDGE = 140.0, 46.0, 4.0


def bounds(summaries: Sequence[Mapping[str, Any]]) -> tuple[float, float, float]:
    """First and last year and the highest value of all lines, so that lines can be compared."""
    rows = [row for s in summaries for row in [*(s.get("rates") or []), *(s.get("nation") or [])]]
    years = [row["wave"] for row in rows] or [0, 1]
    tops = [row["high"] if row["high"] is not None else row["value"] for row in rows]
    return min(years), max(max(years), min(years) + 1), max([*tops, 1.0])


def sparkline(summary: Mapping[str, Any], names: Mapping[str, str], box: tuple) -> Markup:
    """An SVG of the region's rates with whiskers, the nation as a thin line behind.

    A line is dashed across a change of the survey instrument. The text that stands for the
    picture lists every survey; without a survey it is empty markup.

    Parameters
    ----------
    names : the region by language. box : of :func:`bounds`.
    """
    rates = summary.get("rates") or []
    if not rates:
        return Markup("")
    breaks = summary.get("breaks") or []
    parts = [_line(summary.get("nation") or [], box, breaks, "nation")]
    for row in rates:
        if row["low"] is not None:
            x, low, high = _x(row, box), _y(row["low"], box), _y(row["high"], box)
            parts.append(f'<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
    parts.append(_line(rates, box, breaks, "own"))
    for row in rates:
        x, y = _x(row, box), _y(row["value"], box)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2.6 if row is rates[-1] else 1.6}"/>')
    listed = [pair("front.spark.rate", year=row["wave"], rate=rate(row)) for row in rates]
    words = pair("front.spark", region=names, rates=joined(*listed, gaps=SEMICOLONS))
    return Markup(
        '<svg class="spark" role="img" viewBox="0 0 {:g} {:g}" width="{:g}" '
        'height="{:g}" {}>{}</svg>'
    ).format(SPARK_WIDTH, HEIGHT, SPARK_WIDTH, HEIGHT, label(words), Markup("".join(parts)))


def _x(row: Mapping[str, Any], box: tuple) -> float:
    first, last, _ = box
    return EDGE + (row["wave"] - first) / (last - first) * (SPARK_WIDTH - 2 * EDGE)


def _y(value: float, box: tuple) -> float:
    return HEIGHT - EDGE - value / box[2] * (HEIGHT - 2 * EDGE)


def _line(rows: Sequence[Mapping[str, Any]], box: tuple, breaks: Sequence[int], kind: str) -> str:
    parts = []
    for before, after in pairwise(rows):
        broken = any(before["wave"] < year <= after["wave"] for year in breaks)
        ends = [f"{_x(row, box):.1f} {_y(row['value'], box):.1f}" for row in (before, after)]
        dashes = " broken" if broken else ""
        parts.append(f'<path class="{kind}{dashes}" d="M{ends[0]}L{ends[1]}"/>')
    return "".join(parts)


# ------------------------------------------------------------------------------------------
# Tile maps: one square a region, roughly where it lies. Tiles, not boundaries.


@dataclass(frozen=True)
class Tile:
    """A square of the grid; ``names`` is empty where the report names the region."""

    code: str
    row: int
    column: int
    label: Pair
    letters: str
    names: Pair | None


@cache
def _tile_lines() -> list[dict[str, str]]:
    with files("evaluation.batch").joinpath("tiles.csv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def layouts() -> list[str]:
    """The sets of regions that have tiles."""
    return list(dict.fromkeys(line["set"] for line in _tile_lines()))


@cache
def layout(name: str) -> tuple[Tile, ...]:
    """The tiles of a set of ``tiles.csv``; empty for any other."""
    lines = [line for line in _tile_lines() if line["set"] == name]
    return tuple(
        Tile(
            line["code"],
            int(line["row"]),
            int(line["column"]),
            {"zh": line["label_zh"], "en": line["label_en"]},
            line["code_en"],
            {"zh": line["name_zh"], "en": line["name_en"]} if line["name_zh"] else None,
        )
        for line in lines
    )


# ------------------------------------------------------------------------------------------
# The maps of the front page: tiles of each set that has reports, or a user's own boundaries.


FIRST = "rate"  # the measure a page opens with


@dataclass(frozen=True)
class MapRegion:
    """A region on a map: its row of the table (empty without one), its drawing, its words."""

    code: str
    key: str
    names: Pair
    paint: Paint
    tile: Tile | None = None
    path: str = ""


@dataclass(frozen=True)
class Drawing:
    """One map with its title and what must be said beneath it."""

    name: str
    title: Pair
    note: Pair
    places: tuple[MapRegion, ...]
    own: Boundaries | None = None

    @property
    def outside(self) -> bool:
        """Whether it shows places that the data leave out."""
        return any(place.paint.kind == OUTSIDE for place in self.places)


def draw_map(regions: Sequence[Row], own: Boundaries | None = None) -> list[Drawing]:
    """Every map that shows at least one region of the table."""
    known = {row.code: row for row in _mapped(regions)}
    painted = paints(list(known.values()))[FIRST]
    found = []
    shown = set() if own is None else {shape.code for shape in own.shapes}
    for name in layouts():
        tiles = layout(name)
        if shown & {tile.code for tile in tiles}:
            continue
        places = tuple(_tile(tile, known, painted) for tile in tiles)
        found.append(Drawing(name, _title(places, known), pair("front.map.tiles"), places))
    if own is not None:
        found.insert(0, _own(own, known, painted))
    return [drawing for drawing in found if any(place.key for place in drawing.places)]


def _title(places: Iterable[MapRegion], known: Mapping[str, Row]) -> Pair:
    """What the regions drawn are called; neutral where they are of several levels."""
    kinds = {known[place.code].level: known[place.code].kind for place in places if place.key}
    return next(iter(kinds.values())).names if len(kinds) == 1 else pair("front.regions")


def _tile(tile: Tile, known: Mapping[str, Row], painted: Mapping[str, Paint]) -> MapRegion:
    row = known.get(tile.code)
    # A package of elsewhere may use the same codes for other regions.
    if row and row.names["zh"].startswith(tile.label["zh"].replace("|", "")):
        return MapRegion(tile.code, row.key, row.short, painted[tile.code], tile)
    bare = {name: text.replace("|", "") for name, text in tile.label.items()}
    kind = ABSENT if tile.names is None else OUTSIDE
    return MapRegion(tile.code, "", tile.names or bare, _blank(kind), tile)


def _blank(kind: str) -> Paint:
    return Paint(kind, False, "", pair(f"front.map.{kind}"))


def _own(own: Boundaries, known: Mapping[str, Any], painted: Mapping[str, Paint]) -> Drawing:
    """The user's boundaries; shapes that match no region stay blank."""
    places = []
    for shape in own.shapes:
        row = known.get(shape.code)
        names = row.short if row else dict.fromkeys(("zh", "en"), clean(shape.code))
        paint = painted[shape.code] if row else _blank(ABSENT)
        places.append(MapRegion(shape.code, row.key if row else "", names, paint, path=shape.path))
    note = pair("front.map.own", approval=clean(own.approval))
    return Drawing("own", _title(places, known), note, tuple(places), own)


# ------------------------------------------------------------------------------------------
# Render the front page: one file that stands alone, in both languages, from summaries only.


COLUMNS = ("latest", "standing", "gain", "target", "locks")
NAMES = {
    "pdf": {"zh": "PDF", "en": "PDF"},
    "docx": {"zh": "Word", "en": "Word"},
    OFFICIAL: {"zh": "公文版式", "en": "official layout"},
}
DEEP = {"brief": "depth.brief", "annex": "depth.annexes"}
TONGUES = {"zh": "中文", "en": "English"}
PAIRED = ("year", "a", "b", "gap", "low", "high")
# What the script says; each text has the places that the script fills.
SPOKEN = {
    "count": ("shown", "all"),
    "nomatch": (),
    "sort.up": ("column",),
    "sort.down": ("column",),
    "compare.chart": ("regions",),
    "compare.full": (),
    "compare.higher": PAIRED,
    "compare.near": PAIRED,
    "compare.never": ("a", "b"),
    "compare.remove": ("region",),
    "compare.table": (),
    "wave": ("year",),
    "title": (),
}


def page(
    manifest: Mapping[str, Any],
    summaries: Mapping[str, Mapping[str, Any]],
    *,
    own: Boundaries | None = None,
) -> str:
    """The front page of a folder of reports.

    Parameters
    ----------
    manifest : the folder's record; see :func:`evaluation.batch.cells.rows` for what is read.
    summaries : summary of each report by its stem, as :func:`evaluation.batch.cells.read` gives
        them; a report without one is listed with its files alone.
    own : a user's own approved boundaries, drawn instead of the tiles of the same regions.

    Returns
    -------
    HTML that loads nothing, works from the file system and can be read without script.
    """
    regions, overviews = rows(manifest, summaries)
    every = [*regions, *overviews]
    simulated = [row.simulated for row in every]
    words = words_of(row.summary for row in regions)
    box = bounds([row.summary for row in regions])
    return _environment().get_template("page.html.j2").render(
        run=manifest["run"],
        made=sum(entry["status"] == "made" for entry in manifest["reports"]),
        failed=[failure for row in every for failure in row.failures],
        regions=[_shown(row, box) for row in regions],
        overviews=overviews,
        levels={row.level: row.kind.names for row in regions},
        # Every text of the page may say what the package calls its regions.
        both=partial(both, **words),
        title=pair("front.title", **words),
        columns={name: pair(f"front.column.{name}", **words) for name in COLUMNS},
        permitted=_permitted(regions),
        maps=draw_map(regions, own),
        measures=measures(_mapped(regions)),
        legends=_legends(regions),
        simulated="all" if simulated and all(simulated) else "some" if any(simulated) else "",
        data=_payload(regions),
    )  # fmt: skip


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # slow to import

    environment = Environment(
        loader=PackageLoader("evaluation.batch", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = files("evaluation.batch") / "templates"
    # Our own files: no data reaches them, so they stand in the page as they are.
    static = {name: Markup((folder / f"front.{name}").read_text("utf-8")) for name in ("css", "js")}
    environment.globals |= {
        "label": label,
        "pair": pair,
        "formats": FORMATS,
        "format_name": _format_name,
        "tongues": TONGUES,
        "static": static,
        "policy": policy(script=static["js"], style=static["css"]),
    }
    return environment


def _format_name(kind: str) -> Pair:
    """What a file is called: of a brief or an annex its page by that, other formats as well."""
    depth, _, kind = kind.rpartition(".")
    name = NAMES.get(kind, {"zh": kind, "en": kind})
    if not depth:
        return pair("front.format.html") if kind == "html" else name
    said = pair(DEEP[depth])
    return said if kind == "html" else {code: f"{said[code]} {name[code]}" for code in said}


def _shown(row: Row, box: tuple) -> dict[str, Any]:
    """A row of the table: what it says, its picture, its files by language."""
    names = [row.code, *row.names.values(), *row.short.values()]
    return {
        "row": row,
        "cells": cells(row.summary),
        "spark": sparkline(row.summary, row.short, box),
        "sought": " ".join(dict.fromkeys(names)).casefold(),
        "failed": {failure.language: failure for failure in row.failures},
    }


def _permitted(regions: Sequence[Row]) -> list[dict[str, Any]]:
    """The sentences the evidence permits, each once, with the locks of its comparison."""
    found: dict[tuple, dict[str, Any]] = {}
    for row in regions:
        evidence = row.summary.get("evidence")
        if evidence:
            key = (row.simulated, evidence["locks"], evidence["statement"]["en"])
            found.setdefault(key, {**evidence, "simulated": row.simulated})
    return list(found.values())


def _legends(regions: Sequence[Row]) -> dict[str, list]:
    listed = _mapped(regions)
    return {measure: legend(listed, measure) for measure in measures(listed)} if listed else {}


def _mapped(regions: Sequence[Row]) -> list[Row]:
    """Rows the maps may show: never a simulated figure beside a real one."""
    real = [row for row in regions if not row.simulated]
    return real or list(regions)


def _payload(regions: Sequence[Row]) -> Markup:
    """What the script needs, as JSON that no text in it can end early."""
    painted = paints(_mapped(regions))
    words = words_of(row.summary for row in regions)
    data = {
        "rows": {row.key: _record(row) for row in regions},
        "paint": {
            measure: {
                code: [paint.kind, paint.hatched, paint.mark, paint.words]
                for code, paint in found.items()
            }
            for measure, found in painted.items()
        },
        "nation": pair("front.nation", **words),
        "words": {
            name: pair(f"front.{name}", **{**words, **{place: f"{{{place}}}" for place in places}})
            for name, places in SPOKEN.items()
        },
    }
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(data, allow_nan=False)


def _record(row: Row) -> dict[str, Any]:
    """A region as the comparison draws it; every text is ready, the script formats none."""
    summary = row.summary
    lines: dict[str, tuple[Pair, Pair]] = {
        name: (pair(f"front.column.{name}", **words_of([summary])), cell.text)
        for name, cell in cells(summary).items()
    }
    lines |= {f"input.{dose}": found for dose, found in inputs(summary).items()}
    return {
        "code": row.code,
        "short": _flagged(row),
        "simulated": row.simulated,
        "lines": {
            name: {"name": name_pair, "text": text} for name, (name_pair, text) in lines.items()
        },
        "rates": [{**item, "text": rate(item)} for item in summary.get("rates") or []],
        "nation": summary.get("nation") or [],
        "breaks": summary.get("breaks") or [],
    }


def _flagged(row: Row) -> Pair:
    """The short name, marked where the figures are simulated."""
    if not row.simulated:
        return row.short
    flag = pair("front.simulated.flag")
    return {name: f"{row.short[name]} ({flag[name]})" for name in row.short}
