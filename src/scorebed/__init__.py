"""scorebed: a finished cut comes back with music that fits."""

from importlib.metadata import version

__version__ = version("scorebed")
