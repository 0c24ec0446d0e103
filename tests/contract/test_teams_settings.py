"""What the settings of Teams may be, and what is made of them."""

import stat

import pytest
from pydantic import SecretStr

from adapters.teams.authenticate import Authenticator, is_loopback
from adapters.teams.local import TENANT
from bots.platforms import wants_teams
from bots.settings import Settings
from bots.teams import _warn, file_secret, open_link, tenants, wrong_settings
from core.errors import UsageError

APP = "00000000-0000-0000-0000-00000000000a"
CONTOSO = "00000000-0000-0000-0000-0000000000c0"
OTHER = "00000000-0000-0000-0000-0000000000c1"
WHOLE = {"teams_app_id": APP, "teams_app_password": SecretStr("p"), "teams_tenant_id": CONTOSO}


def test_a_bot_that_is_named_in_part_is_told_what_is_missing():
    assert not wants_teams(Settings())
    for name, value in {
        "teams_app_password": SecretStr("p"),
        "teams_tenant_id": CONTOSO,
        "teams_tenants": CONTOSO,
        "teams_app_type": "UserAssignedMSI",
        "teams_authentication": "off",
    }.items():
        assert wants_teams(Settings(**{name: value})), name
    assert wrong_settings(Settings(**{**WHOLE, "teams_app_id": None})) == [
        "TEAMS_APP_ID is not set; copy it from the bot's registration."
    ]
    assert wrong_settings(Settings(**{**WHOLE, "teams_app_id": ""})) != []
    assert wrong_settings(Settings(**WHOLE)) == []


def test_an_empty_variable_beside_others_is_found_in_the_environment(monkeypatch):
    for name, value in {"TEAMS_APP_ID": "", "TEAMS_APP_PASSWORD": "p", "TEAMS_TENANT_ID": CONTOSO}.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert wants_teams(settings)
    with pytest.raises(UsageError, match="TEAMS_APP_ID"):
        open_link(settings, None, None)


def test_nothing_starts_without_an_app_id():
    with pytest.raises(UsageError, match="TEAMS_APP_ID"):
        Authenticator(" ", None)
    with pytest.raises(UsageError, match="TEAMS_APP_PASSWORD"):
        open_link(Settings(teams_app_id="x", teams_tenant_id=CONTOSO), None, None)


def test_clients_that_know_no_tenant_can_be_served_where_tenants_are_named():
    assert tenants(Settings(teams_authentication="off"))(TENANT) == 1
    named = Settings(teams_authentication="off", teams_tenants=f"{CONTOSO},{TENANT}=7")
    assert wrong_settings(named) == []
    assert (tenants(named)(TENANT), tenants(named)(OTHER)) == (7, None)


def test_authentication_is_off_on_loopback_alone():
    off = Settings(teams_authentication="off")
    assert wrong_settings(off, "127.0.0.1") == wrong_settings(off, "::1") == []
    assert "127.0.0.1" in wrong_settings(off, "0.0.0.0")[0]
    known = {"127.0.0.5": True, "localhost": True, "10.0.0.1": False, "example.org": False}
    assert {host: is_loopback(host) for host in known} == known


async def test_whoever_turns_authentication_off_reads_what_that_means(capfd):
    await _warn()
    said = capfd.readouterr().err
    assert said.startswith("WARNING: TEAMS_AUTHENTICATION is off.")
    assert said.count("\n") == 1


def test_directories_are_named_by_their_ids():
    for named in ("contoso.com", f"{CONTOSO},contoso.com=2", "abc", "**"):
        (wrong,) = wrong_settings(Settings(**WHOLE, teams_tenants=named))
        assert wrong.startswith("TEAMS_TENANTS names ")
        assert "or * for every one" in wrong
    for named in ("*", CONTOSO, f"{CONTOSO.upper()}=2, {OTHER}"):
        assert wrong_settings(Settings(**WHOLE, teams_tenants=named)) == []
    (wrong,) = wrong_settings(Settings(**{**WHOLE, "teams_tenant_id": "contoso.com"}))
    assert wrong.startswith("TEAMS_TENANT_ID is no id")
    # It only names where the bot signs in then, which a domain may, too.
    assert wrong_settings(Settings(**{**WHOLE, "teams_tenant_id": "contoso.com"}, teams_tenants=OTHER)) == []


def test_a_managed_identity_needs_no_directory_where_it_is_said_who_is_served():
    identity = {"teams_app_id": APP, "teams_app_type": "UserAssignedMSI"}
    assert "TEAMS_TENANT_ID" in wrong_settings(Settings(**identity))[0]
    assert wrong_settings(Settings(**identity, teams_tenants=CONTOSO)) == []
    assert wrong_settings(Settings(**identity, teams_tenant_id=CONTOSO)) == []
    assert "TEAMS_TENANTS" in wrong_settings(Settings(**{**WHOLE, "teams_app_type": "MultiTenant"}))[0]


def test_directories_have_tenants():
    assert tenants(Settings(teams_tenant_id="ABC"))("abc") == 1
    served = tenants(Settings(teams_tenants="abc=7, def", tenant_id=3))
    assert [served(name) for name in ("ABC", "def", "ghi", "")] == [7, 3, None, None]
    assert tenants(Settings(teams_tenants="*", tenant_id=3))("anybody") == 3


def test_files_are_signed_with_what_nobody_else_knows(tmp_path):
    def secret(home, **more):
        return file_secret(Settings(frontdesk_home=tmp_path / home, **more))

    kept = secret("a")
    assert secret("a") == kept != secret("b")
    (path,) = (tmp_path / "a").iterdir()
    assert (stat.S_IMODE(path.stat().st_mode), len(path.read_bytes())) == (0o600, 32)
    url = "postgresql://frontdesk:{}@db.example/frontdesk"
    assert secret("c", database_url=SecretStr(url.format("x"))) != secret("c", database_url=SecretStr(url.format("y")))
    assert not (tmp_path / "c").exists()
    assert secret("d", database_url=SecretStr("postgresql://db.example/frontdesk")) == secret("d")
    assert secret("e", teams_app_password=SecretStr("x")) != secret("e", teams_app_password=SecretStr("y"))


def test_a_secret_that_cannot_be_kept_is_not_made_up(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="FRONTDESK_HOME"):
        file_secret(Settings(frontdesk_home=tmp_path / "file"))
