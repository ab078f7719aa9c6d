"""The front page of a batch: every region's summary in one bilingual page that stands alone."""

from evaluation.front.boundaries import Boundaries, boundaries
from evaluation.front.page import page

__all__ = ["Boundaries", "boundaries", "page"]
