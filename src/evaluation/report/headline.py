"""Rules that choose the headline and the recommendations of a brief from its results.

Each table is read from the top, and the first rule that holds is taken; the last always holds. So a
headline is never empty, two rules never speak at once, and a tie goes to the rule above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Course:
    """What the headline rules look at; each side is ``above``, ``below`` or ``near`` (not told).

    ``surveys`` : usable surveys of the region.
    ``moved`` : side of its change from the first of them to the last.
    ``gaps`` : sides of its difference from the whole, by survey, ``""`` where the whole has none.
    ``shift`` : side of the change of that difference, first to last, where both are known.
    ``flagged`` : there are values of the region, none usable.
    ``unmeasured`` : there are usable values, none with a sampling error.
    """

    surveys: int
    moved: str = "near"
    gaps: tuple[str, ...] = ()
    shift: str = "near"
    flagged: bool = False
    unmeasured: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(side for side in self.gaps if side)


Rules = Sequence[tuple[str, Callable[[Course], bool]]]
# Of a region without a survey that has a sampling error: why there is none.
ABSENT: Rules = (
    ("unmeasured", lambda c: c.unmeasured),
    ("flagged", lambda c: c.flagged),
    ("none", lambda c: True),
)
# How the region's own share moved.
MOVES: Rules = (
    ("once", lambda c: c.surveys == 1),
    ("rose", lambda c: c.moved == "above"),
    ("fell", lambda c: c.moved == "below"),
    ("unclear", lambda c: True),
)
# Where it stands against the whole, and how it came there.
STANDING: Rules = (
    ("alone", lambda c: not c.gaps or not c.gaps[-1]),
    ("slipped", lambda c: _last(c) == "below" and c.known[0] != "below" and c.shift == "below"),
    ("widened", lambda c: _last(c) == "below" and c.shift == "below"),
    ("closing", lambda c: _last(c) == "below" and c.shift == "above"),
    ("behind", lambda c: _last(c) == "below"),
    ("pulled", lambda c: _last(c) == "above" and c.known[0] != "above" and c.shift == "above"),
    ("extended", lambda c: _last(c) == "above" and c.shift == "above"),
    ("shrunk", lambda c: _last(c) == "above" and c.shift == "below"),
    ("ahead", lambda c: _last(c) == "above"),
    ("caught", lambda c: c.known[0] == "below" and c.shift == "above"),
    ("lost", lambda c: c.known[0] == "above" and c.shift == "below"),
    ("level", lambda c: True),
)
CONTRAST = {("rose", "below"), ("fell", "above")}


def _last(course: Course) -> str:
    return course.gaps[-1]


def chosen(rules: Rules, course: Course) -> str:
    """The name of the first rule that holds."""
    return next(name for name, holds in rules if holds(course))


def contrasted(move: str, course: Course) -> bool:
    """Whether where the region stands is said against how it moved."""
    return (move, course.gaps[-1] if course.gaps else "") in CONTRAST


def since(gaps: Sequence[str]) -> int:
    """The place of the survey from which on every known difference lies where the last does.

    >>> since(("near", "near", "below", "", "below"))
    2
    """
    first = len(gaps) - 1
    for place in range(len(gaps) - 1, -1, -1):
        if gaps[place] not in ("", gaps[-1]):
            break
        first = place if gaps[place] else first
    return first


@dataclass(frozen=True)
class Wants:
    """What the rules of recommendations look at.

    ``surveyed`` : the region has a usable survey.
    ``missed`` : later surveys of the whole have no usable value of the region.
    ``assumed`` : sample sizes of its surveys are assumed.
    ``empty`` : domains of inputs without a published figure, or inputs known by proxies alone.
    ``unnamed`` : its plan has measures without a lead office or a due year.
    ``target`` : it has a usable target that is not yet due.
    ``conflicts`` : contradictions between its sources are recorded.
    ``told`` : the evidence says whether inputs go with gains.
    """

    surveyed: bool
    missed: bool = False
    assumed: bool = False
    empty: bool = False
    unnamed: bool = False
    target: bool = True
    conflicts: bool = False
    told: bool = False


MOST = 3
# What to ask for, the most needed first; of the survey, the inputs and the review one each holds.
ASKED: Sequence[tuple[str, Callable[[Wants], bool]]] = (
    ("survey", lambda f: not f.surveyed),
    ("publish", lambda f: f.surveyed and f.missed),
    ("inputs", lambda f: f.empty),
    ("named", lambda f: f.unnamed),
    ("target", lambda f: not f.target),
    ("samples", lambda f: f.assumed and not f.missed),
    ("conflicts", lambda f: f.conflicts),
    ("design", lambda f: not f.told),
    ("repeat", lambda f: f.surveyed),
    ("yearly", lambda f: not f.empty),
    ("review", lambda f: True),
)


def asked(found: Wants) -> tuple[str, ...]:
    """The recommendations that hold, the first ``MOST`` of them."""
    return tuple(name for name, holds in ASKED if holds(found))[:MOST]
