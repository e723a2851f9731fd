"""How many CPUs this process may use."""

from __future__ import annotations

import os
from pathlib import Path

from fastinet.ranks import local_world_size

__all__ = ["available_cpus", "share_of_rank"]


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


def share_of_rank(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """CPUs for this process where ``torchrun`` started ``LOCAL_WORLD_SIZE`` of them here; at least 1.

    It is the fair share of the CPUs that the launcher may use, or the process's own affinity where that is
    less: ranks that were bound to CPUs are not divided twice. Without a launcher: ``available_cpus()``.
    """
    processes = local_world_size()
    if processes == 1:
        return available_cpus(cgroup)
    try:
        launchers = len(os.sched_getaffinity(os.getppid()))
    except (AttributeError, OSError):  # not on Linux; the launcher is gone
        launchers = os.cpu_count() or 1
    quota = _quota(cgroup)
    shared = launchers if quota is None else min(launchers, round(quota))
    return max(1, min(available_cpus(cgroup), shared // processes))
