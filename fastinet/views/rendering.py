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
    """Finds out, before the work that a page takes, what would keep it from being written.

    Raises:
        UnsupportedError: Jinja2 is not installed.
        ShardIOError: its folder is missing or closed to us, or the file is a folder itself.
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
    """A page.

    Args:
        template: its file in ``templates/``, which extends ``base.html``. All values are escaped.
        script: file in ``templates/`` of the page's only script.
        values: what the template shows; a name that it needs and is not given is a programming error.

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
    """The page as a file, which stands there complete or not at all.

    Raises:
        ShardIOError: the operating system refused.
    """
    # File names that are not UTF-8 may be on the page.
    _core.write_file(os.fsencode(file), page.encode("utf-8", "backslashreplace"))


def _jinja() -> Any:
    try:
        import jinja2
    except ImportError:
        raise UnsupportedError("pages need Jinja2: pip install 'fastinet[html]'") from None
    return jinja2
