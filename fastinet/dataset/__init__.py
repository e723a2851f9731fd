"""A split that is open for reading, and the choice of its records. Start at ``dataset.py``."""

from fastinet.dataset.dataset import Dataset, Record, Selection, find_split

__all__ = ["Dataset", "Record", "Selection", "find_split"]
