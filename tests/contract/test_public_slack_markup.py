"""Public texts that others found hard to format are all shown in Slack as what they say, and call nobody."""

import pytest

from bench.slack_markup import SETS, measure, read_set

AT_LEAST = {
    "slack_mrkdwn.jsonl": 20,
    "naughty_strings.jsonl": 250,
    "telegram_entities.jsonl": 90,
    "html_xss.jsonl": 100,
}


@pytest.mark.parametrize("name", SETS)
async def test_hard_texts_are_shown_and_read_back_as_they_were_written(shared_data, name):
    texts = read_set(shared_data / "hostile" / name, SETS[name])
    figures = await measure(texts)
    assert figures.texts == len(texts) >= AT_LEAST[name]
    assert len(figures.without_blocks) <= 0.01 * len(texts)
    assert figures.not_streamed == figures.misread == figures.misread_text == figures.misread_literally == []
    assert figures.mentions == []
