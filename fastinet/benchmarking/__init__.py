"""Measures how fast a dataset loads on this machine. Start at ``bench_loading.py``."""

from fastinet.benchmarking.bench_loading import BenchReport, BenchResult, bench

__all__ = ["BenchReport", "BenchResult", "bench"]
