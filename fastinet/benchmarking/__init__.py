"""How fast a dataset loads on this machine."""

from fastinet.benchmarking.bench_loading import BenchReport, BenchResult, bench

__all__ = ["BenchReport", "BenchResult", "bench"]
