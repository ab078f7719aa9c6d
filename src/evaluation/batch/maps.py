"""The maps of the front page: tiles of each set that has reports, or a user's own boundaries."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from evaluation.base.errors import KepuError
from evaluation.batch.cells import ABSENT, OUTSIDE, Paint, Pair, Row, clean, paints, pair

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


def draw_map(regions: Sequence[Row], measure: str, own: Boundaries | None = None) -> list[Drawing]:
    """Every map that shows at least one of the regions, coloured by a measure."""
    known = {row.code: row for row in regions}
    places = {tile.code for name in layouts() for tile in layout(name)}
    painted = paints(
        regions, measure, places | {shape.code for shape in own.shapes} if own else places
    )
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
