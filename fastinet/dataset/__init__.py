"""A converted or indexed split, for reading, and the choice of its records."""

from fastinet.dataset.dataset import Dataset, Record, Selection, find_split

__all__ = ["Dataset", "Record", "Selection", "find_split"]
