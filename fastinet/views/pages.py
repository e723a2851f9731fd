"""From a template and its values to a file."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
from pathlib import Path
from typing import Any

from fastinet import _core
from fastinet.errors import ShardIOError, UnsupportedError
from fastinet.version import __version__

__all__ = ["prepare", "render", "write"]

_TEMPLATES = Path(__file__).parent / "templates"


def prepare(file: str | os.PathLike[str]) -> None:
    """Checks, before the work that goes into a page, that the page can be written.

    Raises:
        UnsupportedError: Jinja2 is not installed.
        ShardIOError: the folder of `file` is missing or not writable, or `file` is a folder.
    """
    _jinja()
    path = Path(file)
    for hinders, reason in (
        (path.is_dir(), errno.EISDIR),
        (not path.parent.is_dir(), errno.ENOENT),
        (not os.access(path.parent, os.W_OK), errno.EACCES),
    ):
        if hinders:
            problem = f"{path}: cannot write the page: {os.strerror(reason)}"
            raise ShardIOError(problem, path=str(path), errno=reason)


def render(template: str, script: str | None = None, **values: Any) -> str:
    """Returns a page as HTML.

    Args:
        template: name of a file in ``templates/`` that extends ``base.html``. All values are escaped.
        script: name of the file in ``templates/`` that is the page's only script.
        values: the template's variables. Leaving out one that the template uses is a programming error.

    Raises:
        UnsupportedError: Jinja2 is not installed.
    """
    jinja2 = _jinja()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["commas"] = lambda number: f"{number:,}"
    code = (_TEMPLATES / script).read_text(encoding="utf-8") if script else ""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    page: str = environment.get_template(template).render(
        script=jinja2.utils.markupsafe.Markup(code), script_hash=digest, version=__version__, **values
    )
    return page


def write(file: str | os.PathLike[str], page: str) -> None:
    """Writes a page to a file atomically: after a failure or crash there is no partial file.

    Raises:
        ShardIOError: the operating system refuses.
    """
    # A page may name files whose names are not UTF-8.
    _core.write_file(os.fsencode(file), page.encode("utf-8", "backslashreplace"))


def _jinja() -> Any:
    try:
        import jinja2
    except ImportError:
        raise UnsupportedError("pages need Jinja2: pip install 'fastinet[html]'") from None
    return jinja2
