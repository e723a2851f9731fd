"""Conversion of image collections into datasets of record shards. Start at ``convert_source.py``."""

from fastinet.conversion.convert_source import convert
from fastinet.conversion.engines.base import Engine
from fastinet.conversion.engines.local import LocalEngine
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
