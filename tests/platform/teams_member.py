"""Teams' member of the contract: people in their personal chats with the bot, in a small Teams that minds the rules."""

import html
import json
import re
from contextlib import asynccontextmanager

from pydantic import SecretStr

from tests.platform.teams_server import TeamsServer

EMPHASIS = re.compile(r"(?<![\*\\])\*(?!\*)([^*\n]+)\*(?!\*)")


class TeamsMember:
    """People whose threads are their personal chats."""

    name = "teams"
    limit = 14_336
    is_called = True

    def __init__(self, teams, house, contract):
        self._teams = teams
        self._house = house
        self._contract = contract
        self._tenant = next(iter(teams.state.tenants.values()))
        self._chats = {}
        self._said = {}

    def _chat(self, thread):
        if thread not in self._chats:
            self._chats[thread] = self._teams.personal(self._teams.user(self._tenant, thread))
        return self._chats[thread]

    def _person(self, thread):
        return self._chat(thread).members[0]

    async def _say(self, text, thread, files=None):
        attached = [self._teams.attach(name, data) for name, data in (files or {}).items()]
        return await self._teams.say(self._chat(thread), self._person(thread), text, files=attached)

    async def ask(self, text, *, thread="t1", author="u1", files=None):
        said = await self._say(text, thread, files)
        assert said.acks[-1].ok
        self._said[said.activity_id] = said
        return said.activity_id

    async def try_to_ask(self, text, *, thread="t1"):
        said = await self._say(text, thread)
        return self._contract.Accepted(said.acks[-1].ok)

    async def edit(self, message_id, text):
        assert (await self._teams.edit(self._said[message_id], text))[-1].ok

    async def delete(self, message_id):
        assert (await self._teams.delete(self._said[message_id]))[-1].ok

    async def stop(self, *, thread="t1"):
        self._teams.stop(self._chat(thread))

    async def rate(self, rating, *, thread="t1"):
        newest = self._of_ours(thread)[-1]
        assert (await self._teams.feedback(newest, self._person(thread), "like" if rating > 0 else "dislike")).ok

    async def redeliver(self, message_id):
        before = await self._rows()
        ack = await self._teams.redeliver(self._said[message_id])
        return self._contract.Accepted(ack.ok, before == await self._rows())

    async def _rows(self):
        ((rows,),) = await self._house.fetch("select count(*) from inbox")
        return rows

    def _of_ours(self, thread):
        return self._teams.answers(self._chat(thread))

    async def seen(self, thread="t1"):
        return [await self._seen(message) for message in self._of_ours(thread) if message.text]

    async def _seen(self, message):
        text = EMPHASIS.sub(r"_\1_", html.unescape(message.text))
        return self._contract.Seen(text, await self._sources(message))

    async def _sources(self, message):
        """Say which documents the citations of a message stand for."""
        rows = await self._house.fetch(
            "select content from outbox where content is not null "
            "and sent @> jsonb_build_array(jsonb_build_object('message_id', $1::text))",
            message.activity_id,
        )
        kept = [citation for row in rows for citation in json.loads(row["content"])["citations"]]
        shown = {citation["position"] for citation in message.citations}
        return tuple(citation["source"] for citation in kept if citation["number"] in shown)

    async def is_settled(self):
        return True

    def be_busy(self, seconds):
        self._teams.misbehave("message", f"busy_{seconds}")

    def be_out(self, calls):
        self._teams.misbehave("send", *["http_502"] * calls)

    @property
    def faults(self):
        rules = [violation.rule for violation in self._teams.violations]
        return self._contract.Faults(
            forged=self._teams.connector.unauthorized,
            early=len(self._teams.early_calls),
            too_long=sum("size" in violation.detail.lower() for violation in self._teams.violations),
            unreadable=len(rules),
        )

    @property
    def refused(self):
        return self._teams.connector.refused

    @property
    def posted(self):
        return self._teams.posted


@asynccontextmanager
async def opened(contract, open_house):
    """Open a tenant and the house it talks to."""
    async with TeamsServer(ack_s=10.0, time_scale=0.0) as teams:
        tenant = teams.tenant()
        settings = {
            "teams_app_id": teams.app_id,
            "teams_app_password": SecretStr(teams.secret),
            "teams_tenant_id": teams.token_tenant,
            "teams_tenants": {tenant.tenant_id: 0},
            "teams_metadata_url": teams.metadata_url,
            "teams_login_url": teams.url,
            "teams_hosts": frozenset({teams.host}),
        }
        async with open_house(settings) as house:
            teams.rules.bot_url = f"{house.base_url}/teams/messages"
            yield house, TeamsMember(teams, house, contract)
