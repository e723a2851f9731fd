"""The exception classes."""

import pytest

from fastinet import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_a_fastinet_error_and_keeps_its_context(name: str) -> None:
    error = getattr(errors, name)("x.tar: broken", path="x.tar", record=3, key="a", expected="1", found="2")
    assert isinstance(error, errors.FastinetError)
    assert str(error) == "x.tar: broken"
    assert (error.path, error.record, error.key, error.expected, error.found) == ("x.tar", 3, "a", "1", "2")
