"""How reports look: on the terminal, and as self-contained HTML pages. See :mod:`fastinet.reports`.

There is a module for each report: :mod:`conversion`, :mod:`verification`, :mod:`inspection`,
:mod:`benchmarking`. Pages are one file with style, scripts, charts and images inside, in light and dark.
``templates/base.html`` and ``style.css`` are shared by all pages, and ``charts.html`` draws what
``charts.py`` has laid out. A page loads nothing: its Content-Security-Policy allows data URIs and the one
script whose hash it names, so text from a dataset cannot become code.
"""
