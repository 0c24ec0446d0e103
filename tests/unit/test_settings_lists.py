from ipaddress import ip_network
from typing import get_args

import pytest
from pydantic_settings import NoDecode

from bots.settings import Settings

LISTS = {
    "models": ("a, b", ("a", "b")),
    "model_keys": ("a=1,b=2", {"a": "1", "b": "2"}),
    "fetch_allow_hosts": ("a.example, b.example", {"a.example", "b.example"}),
    "fetch_allow_networks": ("10.0.0.0/8", (ip_network("10.0.0.0/8"),)),
    "http_keys": (f"app={'k' * 32}", {"app": "k" * 32}),
    "http_callbacks": ("app=https://a.example/hook", {"app": "https://a.example/hook"}),
    "http_callback_secrets": (f"app={'s' * 32}", {"app": "s" * 32}),
    "slack_home_workspaces": ("T1", {"T1"}),
    "slack_workspaces": ("T1,T2", {"T1", "T2"}),
    "telegram_bots": (
        "help=123456:ABCDEFGHIJ, a@2=7:ABCDEFGHIJ",
        {"help": "123456:ABCDEFGHIJ", "a@2": "7:ABCDEFGHIJ"},
    ),
    "telegram_administrators": ("1, 2", {"1", "2"}),
    "teams_tenants": ("A-1=2,*", {"a-1": 2, "*": 0}),
    "teams_hosts": ("localhost:9000", {"localhost:9000"}),
}


def test_every_setting_that_is_a_list_has_its_line_here():
    lists = {name for name, field in Settings.model_fields.items() if NoDecode in field.metadata}
    assert lists, get_args(Settings.model_fields["models"].annotation)
    assert lists <= LISTS.keys()


@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_list_is_read_from_the_environment_as_people_write_it(name, monkeypatch):
    written, meant = LISTS[name]
    monkeypatch.setenv(name.upper(), written)
    read = getattr(Settings(), name)
    if isinstance(read, dict):
        read = {key: getattr(value, "get_secret_value", lambda value=value: value)() for key, value in read.items()}
    assert read == meant
