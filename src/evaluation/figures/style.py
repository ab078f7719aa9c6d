"""The look of every figure: font, palette, page width, PNG bytes and the check for missing glyphs.

Nothing here changes matplotlib's global settings: each figure is made, drawn and written inside
:func:`settings`, which restores what it found. Figures are not registered with pyplot.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubplotParams
from matplotlib.text import Text
from PIL import Image

FAMILY = "Noto Sans CJK SC"
FONT_FILE = "NotoSansCJKsc-Regular.otf"
# A letter the CJK face lacks (subscript two, say) is taken from matplotlib's own font.
FALLBACK = "DejaVu Sans"

# Vermilion of Okabe & Ito (2008); its text shade is darkened to 5:1 contrast on white.
ACCENT, ACCENT_TEXT, ACCENT_PALE = "#D55E00", "#B34F00", "#F6DCC8"
INK, DARK, MID, LIGHT, PALE = "#222222", "#4A4A4A", "#8A8A8A", "#BDBDBD", "#E6E6E6"
QUIET = "#6B6B6B"  # the lightest grey still readable as text (5.3:1)

WIDTH, DPI = 7.2, 150
DENSITY = 2  # pixels of a picture for each of the page, along a side
BASE, SMALL, TINY = 10, 9, 8.5

RC = {
    "font.family": [FAMILY, FALLBACK],
    "font.size": BASE,
    # Only the regular weight ships with the wheel: emphasis is by colour, never by weight.
    "font.weight": "normal",
    "axes.titlesize": BASE,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.labelsize": SMALL,
    "axes.labelcolor": QUIET,
    "axes.labelpad": 6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": MID,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": PALE,
    "grid.linewidth": 0.7,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": MID,
    "ytick.color": MID,
    "xtick.labelcolor": DARK,
    "ytick.labelcolor": DARK,
    "xtick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.major.size": 0,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a caller's text is a dollar sign
    "lines.solid_capstyle": "butt",
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "hatch.linewidth": 0.8,
    "hatch.color": MID,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
}
# Where the axes will be found, nearly: enough to tell what fits beside what before the layout.
ABOUT = {"left": 0.08, "right": 0.985, "bottom": 0.1, "top": 0.97}
SHADE = 6  # levels of 255 by which a palette's colour may differ from the one it stands for
KEPT = 200  # pictures kept in memory, some 40 KB each
_drawn: dict[bytes, bytes] = {}


class PageFigure(Figure):
    """A figure that shows itself in a notebook with the bytes a report would hold."""

    def _repr_png_(self) -> bytes:
        return figure_png(self)


@lru_cache(maxsize=1)
def font_path() -> Path:
    """File of the Chinese font in the ``mplfonts`` wheel, registered on the first call.

    Raises
    ------
    FileNotFoundError
        If the wheel is not installed or ships without the font.
    """
    spec = importlib.util.find_spec("mplfonts")  # located, not imported: its import is not needed
    folders = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    found = [path for path in (folder / "fonts" / FONT_FILE for folder in folders) if path.exists()]
    if not found:
        raise FileNotFoundError(f"{FONT_FILE} not found: install the package mplfonts>=0.0.11")
    font_manager.fontManager.addfont(str(found[0]))
    return found[0]


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib's defaults and :data:`RC`, whatever the caller had set; restored on leaving."""
    font_path()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def slim(text: str) -> str:
    """Text with each minus sign as an en dash: the font's minus (U+2212) is a full em wide."""
    return text.replace("−", "–")


@contextmanager
def figure(height: float) -> Iterator[PageFigure]:
    """Give an empty figure of page width; on leaving, lay it out once and keep that layout.

    Parameters
    ----------
    height : in inches.
    """
    with settings():
        about = SubplotParams(**ABOUT)
        page = PageFigure(figsize=(WIDTH, height), dpi=DPI, layout="constrained", subplotpars=about)
        FigureCanvasAgg(page)
        yield page
        # Tick labels are slim from the start; to ask for all texts would make every tick once more.
        texts = [*page.texts]
        for ax in page.axes:
            texts += [ax.xaxis.label, ax.yaxis.label, *ax.texts]
        for text in texts:
            text.set_text(slim(text.get_text()))
        lay_out(page)  # ticks made later would take the caller's settings
        settle(page)


def lay_out(fig: Figure) -> None:
    """Give axes their final place, so that data coordinates have their pixels; draws nothing."""
    engine = fig.get_layout_engine()
    if engine is not None:
        engine.execute(fig)


def settle(fig: Figure) -> None:
    """Keep the layout as it is: what is added later must find its room in it."""
    fig.set_layout_engine("none")


def figure_png(fig: Figure, dpi: int = DPI * DENSITY) -> bytes:
    """PNG bytes of a figure, the same for the same figure; the figure is closed.

    The image is written anew in 256 colours, so that neither date nor software name remains.
    """
    import matplotlib.pyplot as plt  # only to close figures a caller made with pyplot

    with settings():
        canvas, before = FigureCanvasAgg(fig), fig.dpi
        fig.set_dpi(dpi)
        canvas.draw()
        fig.set_dpi(before)
    plt.close(fig)
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    # An octree takes a fifth of the time of a median cut, and blurs colours by a shade or two.
    small = Image.fromarray(pixels).quantize(
        256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    small.putpalette(_exact(np.reshape(small.getpalette(), (-1, 3))).ravel().tolist())
    out = io.BytesIO()
    small.save(out, format="PNG", dpi=(dpi, dpi))
    return out.getvalue()


def _exact(palette: np.ndarray) -> np.ndarray:
    """The palette (n, 3) with the colour next to each of our own replaced by it."""
    palette = palette.copy()
    for colour in ("white", ACCENT, ACCENT_TEXT, ACCENT_PALE, INK, DARK, MID, LIGHT, PALE, QUIET):
        own = np.round(255 * np.array(mpl.colors.to_rgb(colour))).astype(int)
        far = np.abs(palette - own).max(axis=1)
        if far.min() <= SHADE:
            palette[far.argmin()] = own
    return palette


def drawn(plot: Callable[..., Figure], *args: Any, **options: Any) -> bytes:
    """PNG bytes of ``plot(*args, **options)``, drawn once for the same arguments.

    Figures about all regions are the same in every report of one language; a fork server that has
    drawn them hands them to the processes it makes.
    """
    told = pickle.dumps((plot.__module__, plot.__qualname__, args, sorted(options.items())))
    key = hashlib.sha256(told).digest()
    if key not in _drawn:
        if len(_drawn) >= KEPT:
            _drawn.clear()
        _drawn[key] = figure_png(plot(*args, **options))
    return _drawn[key]


@lru_cache(maxsize=1)
def _charmap() -> frozenset[int]:
    font_path()
    files = [font_manager.findfont(name, fallback_to_default=False) for name in (FAMILY, FALLBACK)]
    return frozenset().union(*(font_manager.get_font(file).get_charmap() for file in files))


def missing_glyphs(fig: Figure) -> set[str]:
    """Characters of all texts in a figure that its fonts can't draw (they would show as boxes)."""
    text = "".join(artist.get_text() for artist in fig.findobj(Text))
    return {letter for letter in text if not letter.isspace() and ord(letter) not in _charmap()}
