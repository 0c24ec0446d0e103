"""A home of its own for each file of tests that runs the `frontdesk` command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.command_line import Frontdesk, open_home


@pytest.fixture(scope="module")
def frontdesk() -> Iterator[Frontdesk]:
    """Return the command, with a home for the tests of one file."""
    with open_home() as command:
        yield command


@pytest.fixture(scope="module")
def folder(frontdesk: Frontdesk) -> Path:
    """Return the folder the command runs in."""
    return frontdesk.folder
