"""How many CPUs this process may use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_cpus"]


def _quota(root: Path) -> float | None:
    """CPUs' worth of time that the control group allows (v2, then v1); None: no bound, or none to be read."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit_us = int((root / "cpu/cpu.cfs_quota_us").read_text())
        period_us = int((root / "cpu/cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return limit_us / period_us if limit_us > 0 and period_us > 0 else None


def available_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """CPUs of the affinity mask, bounded by the control group's quota as containers set it; at least 1."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cpus = os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, cpus if quota is None else min(cpus, round(quota)))
