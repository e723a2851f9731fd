"""How fast a dataset loads on this machine."""

from fastinet.benchmarking.run import BenchReport, BenchResult, bench

__all__ = ["BenchReport", "BenchResult", "bench"]
