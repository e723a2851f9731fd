"""The way back: a dataset's files as an ImageFolder, its records as WebDataset tars or Parquet files."""

from fastinet.exporting.export_dataset import LAYOUTS, export

__all__ = ["LAYOUTS", "export"]
