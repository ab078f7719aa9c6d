"""A user's own approved boundaries (GeoJSON) as SVG paths, in place of tiles.

Maps of China are published with an approval number (审图号); the workbook ships none and draws
only what a user brings, with that number beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.errors import KepuError
from evaluation.front.summary import clean

WIDTH = 1000.0  # of the drawing; its height follows
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
    scale = WIDTH / span
    height = (top - min(y for _, y in every)) * scale
    shapes = tuple(
        Shape(name, "".join(_path(ring, left, top, scale) for ring in parts))
        for name, parts in flat.items()
    )
    return Boundaries(shapes, WIDTH, round(max(height, 1.0), 1), str(approval).strip())


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
