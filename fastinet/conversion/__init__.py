"""Conversion of image collections into datasets of record shards. Start at ``run.py``."""

from fastinet.conversion.engine import Engine, LocalEngine
from fastinet.conversion.imagefolder import ImageFolder
from fastinet.conversion.report import ConversionReport, SplitReport
from fastinet.conversion.run import convert
from fastinet.conversion.source import Extent, Readable, Sample, Source, Survey

__all__ = [
    "ConversionReport",
    "Engine",
    "Extent",
    "ImageFolder",
    "LocalEngine",
    "Readable",
    "Sample",
    "Source",
    "SplitReport",
    "Survey",
    "convert",
]
