"""The loader: from a dataset, an order and transforms to batches. Start at ``loader.py``."""
