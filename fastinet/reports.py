"""How a report finds the code that displays it.

Reports hold what was measured and import nothing from :mod:`fastinet.views`; the views import the reports.
The one link in the other direction is the name of a view, which is imported the first time a report is
printed or written as a page. So a script that only reads numbers never loads tables and templates.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Report"]


class Report:
    """Base of the reports that ``convert``, ``verify``, ``inspect`` and ``bench`` return.

    ``rich.print(report)`` displays one.

    Attributes:
        view: name of the module in ``fastinet.views`` that displays reports of this class. It defines
            ``render(report)``, which returns what ``rich`` prints, and for reports that can be written as
            HTML also ``write_page(report, file, ...)``.
    """

    view: ClassVar[str]

    def __rich__(self) -> RenderableType:
        rendered: RenderableType = self._view().render(self)
        return rendered

    def _view(self) -> Any:
        return importlib.import_module(f"fastinet.views.{self.view}")
