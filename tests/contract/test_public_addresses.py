"""The address parser on a public list of hostile URLs."""

import json
from pathlib import Path

import pytest

from core.errors import Refused
from ingest.fetch import parse_url

HOSTILE = Path(__file__).parents[2] / "../shared/data/hostile"


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile data set is not here")
def test_public_url_test_vectors():
    for line in (HOSTILE / "url_parse.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        try:
            host = parse_url(case["url"]).raw_host
        except Refused:
            continue
        assert case["url"].startswith("http")
        # What the standard's parser refuses may pass only as a name that no resolver knows.
        assert host == case.get("host", host).strip("[]")
        assert case["expect"] != "block"
        assert case["expect"] != "invalid_url" or "xn--" in host
