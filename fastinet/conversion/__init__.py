"""Conversion of image collections into datasets of record shards. Start at ``run.py``."""

from fastinet.conversion.engines.local import Engine, LocalEngine
from fastinet.conversion.run import convert
from fastinet.conversion.sources.base import Readable, Sample, Source, Survey
from fastinet.conversion.sources.imagefolder import ImageFolder
from fastinet.format.report import ConversionReport, SplitReport
from fastinet.storage.extent import Extent

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
