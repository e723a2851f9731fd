"""The way back: a dataset's files as an ImageFolder, its records as WebDataset tars or Parquet files."""

from fastinet.exporting.run import LAYOUTS, export

__all__ = ["LAYOUTS", "export"]
