"""The layouts in which images are held; each is a ``Source`` (``base.py``), found by ``detect.py``."""
