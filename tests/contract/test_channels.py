"""Settings of channels in PostgreSQL."""

import asyncpg
import pytest

from adapters.postgres.channels import PostgresChannels
from core.channels import DEFAULTS, ChannelSettings, Listens
from core.escalation import TicketPolicy
from core.places import Place, Platform

HERE = Place(Platform.SLACK, "C1", "a thread")
CHOSEN = ChannelSettings(("handbook", "travel"), Listens.QUESTION, 0.9, "de", TicketPolicy.OFFER)


@pytest.fixture
def channels(database):
    return PostgresChannels(database)


async def test_a_channel_without_settings_has_the_defaults(channels):
    assert await channels.settings(1, HERE) == DEFAULTS
    assert await channels.list(1) == []


async def test_settings_come_back_as_they_were_saved_for_every_thread(channels):
    saved = await channels.save(1, HERE, CHOSEN)
    assert await channels.settings(1, Place(Platform.SLACK, "C1", "another")) == saved
    assert saved.version == 1
    assert (await channels.save(1, HERE, CHOSEN)).version == 2
    assert await channels.list(1) == [(Platform.SLACK, "C1", await channels.settings(1, HERE))]


@pytest.mark.parametrize("other", [Place(Platform.TEAMS, "C1"), Place(Platform.SLACK, "C2")])
async def test_settings_are_those_of_one_channel(channels, other):
    await channels.save(1, HERE, CHOSEN)
    assert await channels.settings(1, other) == DEFAULTS


async def test_a_reset_brings_the_defaults_back_and_the_version_goes_on(channels):
    await channels.reset(1, HERE)
    assert (await channels.settings(1, HERE)).version == 0
    await channels.save(1, HERE, CHOSEN)
    await channels.reset(1, HERE)
    await channels.reset(1, HERE)
    assert await channels.settings(1, HERE) == ChannelSettings(version=2)
    assert await channels.list(1) == []


async def test_settings_belong_to_their_tenant(channels, addresses):
    owner = await asyncpg.connect(addresses.owner)
    await owner.execute("insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other')")
    await owner.close()
    await channels.save(2, HERE, CHOSEN)
    assert await channels.settings(1, HERE) == DEFAULTS
    assert await channels.list(1) == []
