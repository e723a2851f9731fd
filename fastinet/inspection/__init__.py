"""Describes a dataset in numbers. Start at ``inspect_dataset.py``.

``inspect_dataset.py`` reads the manifest and the sidecars into the report of ``facts.py``, which
:mod:`fastinet.views.inspection` displays.
"""

from fastinet.inspection.facts import BoxFacts, ColumnFacts, Inspection, Oddity, SplitFacts
from fastinet.inspection.inspect_dataset import inspect

__all__ = ["BoxFacts", "ColumnFacts", "Inspection", "Oddity", "SplitFacts", "inspect"]
