"""The maps of the front page: tiles of each set that has reports, or a user's own boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.front.boundaries import Boundaries
from evaluation.front.measures import ABSENT, OUTSIDE, Paint, paints
from evaluation.front.rows import Row
from evaluation.front.summary import clean
from evaluation.front.tiles import Tile, layout
from evaluation.front.words import Pair, pair

SETS = {"provinces": "front.map.provinces", "inner_mongolia_leagues": "front.map.leagues"}
FIRST = "rate"  # the measure a page opens with


@dataclass(frozen=True)
class Place:
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
    places: tuple[Place, ...]
    own: Boundaries | None = None


def drawn(regions: Sequence[Row], own: Boundaries | None = None) -> list[Drawing]:
    """Every map that shows at least one region of the table."""
    real = [row for row in regions if not row.simulated]
    known = {row.code: row for row in (real or regions)}
    painted = paints(list(known.values()))[FIRST]
    found = []
    for name, title in SETS.items():
        if name == "provinces" and own is not None:
            continue
        places = tuple(_tile(tile, known, painted) for tile in layout(name))
        found.append(Drawing(name, pair(title), pair("front.map.tiles"), places))
    if own is not None:
        found.insert(0, _own(own, known, painted))
    return [drawing for drawing in found if any(place.key for place in drawing.places)]


def _tile(tile: Tile, known: Mapping[str, Row], painted: Mapping[str, Paint]) -> Place:
    row = known.get(tile.code)
    if row:
        return Place(tile.code, row.key, row.short, painted[tile.code], tile)
    bare = {name: text.replace("|", "") for name, text in tile.label.items()}
    kind = ABSENT if tile.names is None else OUTSIDE
    return Place(tile.code, "", tile.names or bare, _blank(kind), tile)


def _blank(kind: str) -> Paint:
    return Paint(kind, False, "", pair(f"front.map.{kind}"))


def _own(own: Boundaries, known: Mapping[str, Any], painted: Mapping[str, Paint]) -> Drawing:
    """The user's boundaries; shapes that match no region stay blank."""
    places = []
    for shape in own.shapes:
        row = known.get(shape.code)
        names = row.short if row else dict.fromkeys(("zh", "en"), clean(shape.code))
        paint = painted[shape.code] if row else _blank(ABSENT)
        places.append(Place(shape.code, row.key if row else "", names, paint, path=shape.path))
    note = pair("front.map.own", approval=clean(own.approval))
    return Drawing("own", pair("front.map.provinces"), note, tuple(places), own)
