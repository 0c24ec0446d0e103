"""Installing into workspaces: the two pages against a small Slack, tokens encrypted in a real PostgreSQL."""

import asyncio
import base64
import os
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from adapters.postgres.installations import PostgresInstallations, Vault
from adapters.slack.api import FixedTokens
from adapters.slack.manifest import INSTALL_PATH, SCOPES
from adapters.slack.oauth import EVERY_WORKSPACE, InstalledTokens, OAuth, OAuthApp, OneWorkspace
from core.errors import Refused, Rejected, UsageError
from core.installations import Installed
from core.places import Platform
from tests.platform.slack_server import SlackServer

TENANT, OTHER = 1, 2


def a_key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Site:
    """Our two pages, as a browser meets them."""

    def __init__(self, slack, database, vault, allowed=(EVERY_WORKSPACE,)):
        self.slack = slack
        self.store = PostgresInstallations(database, vault)
        self.tokens = InstalledTokens(self.store)
        self.allowed = allowed
        self.url = ""

    async def __aenter__(self):
        door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        known = OAuthApp(
            client_id=self.slack.app.client_id,
            client_secret=self.slack.app.client_secret,
            public_url=self.url,
            api_url=self.slack.api_url,
            workspaces=self.allowed,
        )
        app = web.Application()
        app.add_routes(OAuth(known, TENANT, self.store, self.tokens).routes())
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.SockSite(self.runner, door).start()
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()


def browser():
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


@pytest.fixture
async def slack():
    async with SlackServer() as server:
        yield server


@pytest.fixture
def vault():
    return Vault([a_key()])


@pytest.fixture
async def site(slack, database, vault):
    async with Site(slack, database, vault) as opened:
        yield opened


@pytest.fixture
async def tenants(addresses):
    connection = await asyncpg.connect(addresses.owner)
    await connection.execute(
        "insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other') on conflict do nothing"
    )
    await connection.close()


async def begin(session, site):
    """Open the install page without following it; return where it leads."""
    async with session.get(site.url + INSTALL_PATH, allow_redirects=False) as response:
        assert response.status == 302
        return response.headers["Location"]


async def approve(session, location):
    """Agree in Slack; return the address it sends the browser back to."""
    async with session.get(location, allow_redirects=False) as response:
        return response.headers["Location"]


async def page(session, url):
    async with session.get(url) as response:
        return response.status, await response.text()


async def test_a_workspace_is_installed_and_its_token_works(slack, site):
    workspace = slack.workspace("acme", installed=False)
    async with browser() as session:
        status, text = await page(session, site.url + INSTALL_PATH)
    assert status == 200
    assert "acme" in text
    token = await site.tokens.of(workspace.team_id)
    assert token.bot_token == workspace.bot_token
    assert (token.bot_user_id, token.bot_id) == (workspace.bot_user_id, workspace.bot_id)
    assert await site.tokens.tenant_of(workspace.team_id) == TENANT
    assert await site.store.names(TENANT, Platform.SLACK) == [workspace.team_id]


async def test_all_scopes_of_the_manifest_are_asked_for(slack, site):
    slack.workspace()
    async with browser() as session:
        asked = parse_qs(urlsplit(await begin(session, site)).query)
    assert set(asked["scope"][0].split(",")) == set(SCOPES)
    assert asked["redirect_uri"] == [f"{site.url}/slack/oauth_redirect"]


@pytest.mark.parametrize(
    ("api_url", "expected"),
    [
        ("https://slack.com/api/", "https://slack.com/oauth/v2/authorize"),
        ("http://127.0.0.1:4000/api", "http://127.0.0.1:4000/oauth/v2/authorize"),
        ("http://localhost:8000/slack/api/", "http://localhost:8000/slack/oauth/v2/authorize"),
    ],
)
def test_the_browser_is_sent_to_whoever_answers_the_web_api(api_url, expected):
    assert OAuthApp("1.2", "s", "https://help.example.org", api_url).authorize_url == expected


async def test_the_token_is_not_to_be_read_in_the_database(slack, site, addresses):
    workspace = slack.workspace(installed=False)
    async with browser() as session:
        await page(session, site.url + INSTALL_PATH)
    connection = await asyncpg.connect(addresses.owner)
    secret = await connection.fetchval("select secret from installations")
    await connection.close()
    assert workspace.bot_token.encode() not in secret
    assert secret


async def test_a_state_works_once(slack, site):
    slack.workspace()
    async with browser() as session:
        back = await approve(session, await begin(session, site))
        state = parse_qs(urlsplit(back).query)["state"][0]
        assert (await page(session, back))[0] == 200
        session.cookie_jar.update_cookies({"frontdesk_slack_state": state})
        status, text = await page(session, back)
    assert status == 400
    assert "Begin again" in text


async def test_a_state_is_bound_to_the_browser_that_began(slack, site):
    slack.workspace()
    async with browser() as mine, browser() as theirs:
        back = await approve(mine, await begin(mine, site))
        assert (await page(theirs, back))[0] == 400
        assert await site.store.names(TENANT, Platform.SLACK) == []
        assert (await page(mine, back))[0] == 200  # the stranger has not used it up


async def test_a_state_is_too_old_after_five_minutes(slack, site, addresses):
    slack.workspace()
    async with browser() as session:
        back = await approve(session, await begin(session, site))
        connection = await asyncpg.connect(addresses.owner)
        left = await connection.fetchval("select expires_at - now() from installation_states")
        await connection.execute("update installation_states set expires_at = now() - interval '1 second'")
        await connection.close()
        assert (await page(session, back))[0] == 400
    assert left <= timedelta(seconds=300)


@pytest.mark.parametrize("query", ["", "?state=", "?code=1", "?state=x&code=1", "?state=%00&code=1"])
async def test_without_a_state_nothing_is_exchanged(slack, site, query):
    async with browser() as session:
        status, _ = await page(session, f"{site.url}/slack/oauth_redirect{query}")
    assert status == 400
    assert slack.calls == []


async def test_a_refusal_of_the_person_is_told_in_plain_words(slack, site):
    slack.workspace()
    async with browser() as session:
        state = parse_qs(urlsplit(await begin(session, site)).query)["state"][0]
        status, text = await page(session, f"{site.url}/slack/oauth_redirect?error=access_denied&state={state}")
    assert status == 400
    assert "cancelled" in text


async def test_error_pages_say_nothing_of_the_inside(slack, site):
    slack.workspace()
    async with browser() as session:
        back = await approve(session, await begin(session, site))
        slack.misbehave("oauth.v2.access", "invalid_client_id")
        status, text = await page(session, back)
    assert status == 403
    assert "invalid_client_id" not in text
    assert slack.app.client_secret not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("fault", ["http_500", "ratelimited", "reset", "internal_error"])
async def test_a_slack_that_is_away_is_not_our_visitors_fault(slack, site, fault):
    slack.workspace()
    async with browser() as session:
        back = await approve(session, await begin(session, site))
        slack.misbehave("oauth.v2.access", fault)
        assert (await page(session, back))[0] == 502


async def test_only_named_workspaces_may_install_and_the_token_is_given_back(slack, database, vault):
    workspace = slack.workspace(installed=False)
    async with Site(slack, database, vault, allowed=("T0OTHER",)) as site, browser() as session:
        status, text = await page(session, site.url + INSTALL_PATH)
        assert status == 403
        assert workspace.team_id in text
        assert await site.store.names(TENANT, Platform.SLACK) == []
    assert workspace.bot_token in slack.state.revoked


async def test_a_workspace_of_another_tenant_is_refused(slack, site, tenants):
    workspace = slack.workspace(installed=False)
    await site.store.save(Installed(OTHER, Platform.SLACK, workspace.team_id, "xoxb-theirs"))
    async with browser() as session:
        status, _ = await page(session, site.url + INSTALL_PATH)
    assert status == 403
    assert await site.store.tenant_of(Platform.SLACK, workspace.team_id) == OTHER
    kept = await site.store.installed(Platform.SLACK, workspace.team_id)
    assert kept is not None
    assert kept.token == "xoxb-theirs"


async def test_installing_again_brings_the_new_token_at_once(slack, site):
    workspace = slack.workspace(installed=False)
    async with browser() as session:
        await page(session, site.url + INSTALL_PATH)
        first = (await site.tokens.of(workspace.team_id)).bot_token
        await page(session, site.url + INSTALL_PATH)
    second = (await site.tokens.of(workspace.team_id)).bot_token
    assert first != second == workspace.bot_token


async def test_a_removal_erases_the_token_and_keeps_whose_the_workspace_is(database, vault, addresses):
    store = PostgresInstallations(database, vault)
    await store.save(Installed(TENANT, Platform.SLACK, "T1", "xoxb-1"))
    assert await store.revoke(Platform.SLACK, "T1", "app_uninstalled", datetime.now(UTC) + timedelta(seconds=5))
    assert await store.installed(Platform.SLACK, "T1") is None
    assert await store.tenant_of(Platform.SLACK, "T1") == TENANT
    connection = await asyncpg.connect(addresses.owner)
    row = await connection.fetchrow("select secret, revoked_at, reason from installations")
    await connection.close()
    assert (row["secret"], row["reason"]) == (None, "app_uninstalled")
    assert row["revoked_at"] is not None


async def test_a_late_word_of_a_removal_does_not_undo_a_new_installation(database, vault):
    store = PostgresInstallations(database, vault)
    await store.save(Installed(TENANT, Platform.SLACK, "T1", "xoxb-new"))
    assert not await store.revoke(Platform.SLACK, "T1", "app_uninstalled", datetime.now(UTC) - timedelta(minutes=5))
    kept = await store.installed(Platform.SLACK, "T1")
    assert kept is not None
    assert kept.token == "xoxb-new"


async def test_a_new_key_reads_old_tokens_and_encrypts_them_anew(database):
    old, new = a_key(), a_key()
    await PostgresInstallations(database, Vault([old])).save(Installed(TENANT, Platform.SLACK, "T1", "xoxb-1"))
    with_both = await PostgresInstallations(database, Vault([new, old])).installed(Platform.SLACK, "T1")
    with_new = await PostgresInstallations(database, Vault([new])).installed(Platform.SLACK, "T1")
    assert with_both is not None
    assert with_both == with_new
    with pytest.raises(Refused, match="SLACK_ENCRYPTION_KEYS"):
        await PostgresInstallations(database, Vault([old])).installed(Platform.SLACK, "T1")


async def test_a_token_put_into_another_workspaces_row_is_not_used(database, vault, addresses):
    store = PostgresInstallations(database, vault)
    await store.save(Installed(TENANT, Platform.SLACK, "T1", "xoxb-1"))
    await store.save(Installed(TENANT, Platform.SLACK, "T2", "xoxb-2"))
    connection = await asyncpg.connect(addresses.owner)
    await connection.execute(
        "update installations set secret = (select secret from installations where installation = 'T2') "
        "where installation = 'T1'"
    )
    await connection.close()
    with pytest.raises(Rejected, match="another one"):
        await InstalledTokens(store).of("T1")


@pytest.mark.parametrize("keys", [[], ["short"], [a_key(), "no base64!"]])
def test_impossible_keys_are_refused(keys):
    with pytest.raises(UsageError, match="SLACK_ENCRYPTION_KEYS"):
        Vault(keys)


async def test_other_tenants_see_neither_tokens_nor_can_they_take_a_workspace(database, vault, tenants):
    await PostgresInstallations(database, vault).save(Installed(TENANT, Platform.SLACK, "T1", "xoxb-1"))
    async with database.tenant(OTHER) as connection:
        assert await connection.fetchval("select count(*) from installations") == 0
        assert await connection.fetchval("select tenant_id from installation_tenants") == TENANT
        changed = await connection.execute("update installation_tenants set tenant_id = 2")
        gone = await connection.execute("delete from installation_tenants")
    assert (changed, gone) == ("UPDATE 0", "DELETE 0")
    with pytest.raises(Refused):
        async with database.tenant(OTHER) as connection:
            await connection.execute(
                "insert into installation_tenants (platform, installation, tenant_id) values ('slack', 'T9', 1)"
            )


async def test_many_events_ask_neither_slack_nor_the_store_again(slack, site):
    workspace = slack.workspace(installed=False)
    async with browser() as session:
        await page(session, site.url + INSTALL_PATH)
    before = len(slack.calls)
    team_id = workspace.team_id
    await site.tokens.of(team_id)
    async with site.store._database.tenant(TENANT) as connection:
        await connection.execute("delete from installations")  # whoever asks the store now finds nothing
    asked = await asyncio.gather(*(site.tokens.of(team_id) for _ in range(200)))
    assert {token.bot_token for token in asked} == {workspace.bot_token}
    assert len(slack.calls) == before


async def test_a_workspace_without_the_app_is_refused_and_nobodys(site):
    with pytest.raises(Rejected, match="not installed"):
        await site.tokens.of("T0NOBODY")
    assert await site.tokens.tenant_of("T0NOBODY") is None


async def test_one_token_is_of_one_workspace(slack):
    workspace = slack.workspace()
    async with aiohttp.ClientSession() as session:
        one = OneWorkspace(FixedTokens(workspace.bot_token, session, base_url=slack.api_url), TENANT)
        assert (await one.of(workspace.team_id)).bot_user_id == workspace.bot_user_id
        assert await one.tenant_of(workspace.team_id) == TENANT
        assert await one.tenant_of("T0OTHER") is None
        with pytest.raises(Rejected):
            await one.of("T0OTHER")
    assert [name for name, _ in slack.calls] == ["auth.test"]
