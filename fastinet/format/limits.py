"""Limits of the format that several readers and writers check; FORMAT.md gives the reasons."""

__all__ = ["MAX_BOXES", "MAX_CLASSES", "MAX_SIDE"]

MAX_CLASSES = 1 << 20  # classes of a dataset, so labels are below this
MAX_BOXES = 65536  # boxes of a record
MAX_SIDE = 1 << 24  # pixels of an image's side, and so the largest coordinate of a box
