"""Why a platform does not give a file is told in other languages too."""

import pytest

from adapters.slack import files as slack
from adapters.teams import files as teams
from adapters.teams import reading
from adapters.telegram import files as telegram
from core.reasons import retell
from core.wording import TRANSLATIONS


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize(
    "reason",
    [
        slack._ELSEWHERE,
        slack._GONE,
        slack._NOT_SEEN,
        teams._GONE,
        teams._TOO_LARGE.format(limit=4.0),
        reading.FOREIGN_HOST,
        reading.PERSONAL_ONLY,
        reading.NO_ADDRESS,
        telegram._GONE,
    ],
)
def test_what_a_platform_says_of_a_file_is_known(reason, language):
    assert retell(reason, language) != reason
