"""The report of :func:`fastinet.inspect` on the terminal, and as a page."""

from fastinet.views.inspection.page import write_page
from fastinet.views.inspection.terminal import render

__all__ = ["render", "write_page"]
