"""Limits of the format that several readers and writers check; FORMAT.md gives the reasons."""

__all__ = ["MAX_CLASSES"]

MAX_CLASSES = 1 << 20  # classes of a dataset, so labels are below this
