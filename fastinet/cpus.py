"""How many CPUs this process may use."""

from __future__ import annotations

import os
from pathlib import Path

from fastinet.ranks import local_world_size

__all__ = ["available_cpus", "share_of_rank"]


def _quota(root: Path) -> float | None:
    """Returns the CPU quota of the control group (v2, then v1), in CPUs; None if there is none or it cannot
    be read."""
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
    """Returns the CPUs of the affinity mask, or the control group's quota if that is lower; at least 1."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cpus = os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, cpus if quota is None else min(cpus, round(quota)))


def share_of_rank(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Returns the CPUs for this process if ``torchrun`` started several on this machine; at least 1.

    That is the launcher's CPUs divided by ``LOCAL_WORLD_SIZE``, or the CPUs of the process's own affinity
    mask if these are fewer, so that CPUs are not divided twice among ranks that are bound to some of them.
    Without a launcher, it is ``available_cpus()``.
    """
    processes = local_world_size()
    if processes == 1:
        return available_cpus(cgroup)
    try:
        launchers = len(os.sched_getaffinity(os.getppid()))
    except (AttributeError, OSError):  # not on Linux, or the launcher has exited
        launchers = os.cpu_count() or 1
    quota = _quota(cgroup)
    shared = launchers if quota is None else min(launchers, round(quota))
    return max(1, min(available_cpus(cgroup), shared // processes))
