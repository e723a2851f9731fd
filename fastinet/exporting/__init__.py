"""Export: a dataset's files as an ImageFolder, or its records as WebDataset tars or Parquet files.

Start at ``export_dataset.py``.
"""

from fastinet.exporting.export_dataset import LAYOUTS, export

__all__ = ["LAYOUTS", "export"]
