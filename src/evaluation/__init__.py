"""Evaluate what investment in science popularisation did for scientific literacy."""

from importlib.metadata import version

__version__ = version("kepu-evaluation")
