"""Self-contained pages: one HTML file with its style, scripts, charts and images inside, in light and dark.

``templates/base.html`` and ``style.css`` are what all pages share; ``charts.html`` draws what ``charts.py``
has placed. A page loads nothing: its Content-Security-Policy lets it have data URIs and the one script whose
hash it names, so that text out of a dataset stays text.
"""

from fastinet.views.rendering import prepare, render, write

__all__ = ["prepare", "render", "write"]
