"""Merging datasets without copying or rewriting their shards."""

from __future__ import annotations

from fastinet.merging.run import MergeReport, merge

__all__ = ["MergeReport", "merge"]
