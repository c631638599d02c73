"""Single values are read as other systems write them."""

from __future__ import annotations

import pytest

from agentdata.importers.values import json_or_text
from agentdata.operations.messages import result_of


@pytest.mark.parametrize("levels", [1, 100, 101])
def test_a_text_that_is_json_of_up_to_100_levels_is_read_as_json(levels: int) -> None:
    written = "[" * levels + '"text"' + "]" * levels
    value: object = "text"
    for _ in range(levels):
        value = [value]
    expected = value if levels <= 100 else written
    assert json_or_text(written) == expected
    assert result_of(written) == expected
