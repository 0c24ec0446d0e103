"""Bots of Telegram and the tenants they belong to, as the settings name them."""

import pytest
from pydantic import ValidationError

from bots.settings import Settings, telegram_bots, tenants

TOKEN = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


def read(written, **more):
    return Settings(_env_file=None, telegram_bots=written, **more)


def test_a_bot_belongs_to_the_tenant_it_names_else_to_that_of_the_settings():
    settings = read(f"help={TOKEN},sales@7={TOKEN}", tenant_id=3)
    assert telegram_bots(settings) == [("help", 3, TOKEN), ("sales", 7, TOKEN)]
    assert tenants(settings) == (3, 7)


def test_the_tenants_of_teams_are_tenants_too():
    assert tenants(Settings(_env_file=None, teams_tenants="a=5,b=2,c")) == (1, 2, 5)


@pytest.mark.parametrize("written", ["a@0=", "a@x=", "a@=", "@2=", "a b=", "a@2@3="])
def test_a_name_of_another_form_is_refused(written):
    with pytest.raises(ValidationError, match="NAME@NUMBER"):
        read(f"{written}{TOKEN}")


def test_a_name_is_one_bot_s_whatever_its_tenant():
    with pytest.raises(ValidationError, match="name of its own"):
        read(f"a={TOKEN},a@2={TOKEN}")
