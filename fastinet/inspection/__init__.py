"""What a dataset holds: the facts, the terminal's view of them, and a page to look at.

``gather.py`` reads sidecars and manifest into the numbers of ``facts.py``; ``terminal.py`` and ``page.py``
show them.
"""

from fastinet.inspection.facts import BoxFacts, ColumnFacts, Inspection, Oddity, SplitFacts
from fastinet.inspection.gather import inspect

__all__ = ["BoxFacts", "ColumnFacts", "Inspection", "Oddity", "SplitFacts", "inspect"]
