"""The only reader of the environment: variables and a `.env` file become one checked object."""

import os
import re
import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import site_data_path, user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.domain import Mode
from core.errors import UsageError
from core.escalation import TicketPolicy


def _default_home() -> Path:
    """Choose where the embedded server and the weights live.

    PostgreSQL refuses to run as root, so root's data lies where an ordinary account can reach it.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/frontdesk") if sys.platform.startswith("linux") else site_data_path("frontdesk")
    return user_data_path("frontdesk", appauthor=False)


class Settings(BaseSettings):
    """Everything an operator may set; `.env.example` and docs/reference/settings.md are made from here."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL with pgvector, as the application's ordinary role: "
        "postgresql://USER:PASSWORD@HOST/DATABASE. Unset: an embedded PostgreSQL runs in FRONTDESK_HOME.",
    )
    database_owner_url: SecretStr | None = Field(
        None, description="The same database as its owner; only `frontdesk migrate` uses it."
    )
    frontdesk_home: Path = Field(
        default_factory=_default_home,
        description="Folder of the embedded server and the embedder's weights. "
        "Unset: the user's data folder, /var/lib/frontdesk for root.",
    )
    tenant_id: int = Field(1, ge=1, description="The tenant the command line works for.")
    openai_api_key: SecretStr | None = Field(None, description="Key of the OpenAI-compatible server.")
    openai_base_url: str | None = Field(
        None, description="Address of that server, such as http://localhost:11434/v1. Unset: OpenAI's own."
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Language models of that server, tried in order, separated by commas; NAME@ADDRESS for one of "
        "another server. Unset: answers quote the documents.",
    )
    model_keys: Annotated[dict[str, str], NoDecode] = Field(
        {}, description="Keys of other servers: HOST=KEY, separated by commas.", repr=False
    )
    model_deadline_s: float = Field(30.0, ge=1, le=300, description="Seconds for one answer, retries included.")
    model_stall_s: float = Field(
        15.0, ge=1, le=300, description="Seconds without a byte after which a try is given up."
    )
    model_prices: str = Field(
        "", description="Prices per million tokens: NAME=INPUT/OUTPUT, separated by commas. Unset: tokens only."
    )
    currency: str = Field("USD", description="The currency of those prices.")
    mode: Mode = Field(Mode.GROUNDED, description="What answers rest on where no bot says so: grounded or open.")
    max_tokens: int = Field(500, ge=50, le=4_000, description="Longest answer of a model where no bot says so.")
    history_tokens: int = Field(1_500, ge=0, le=100_000, description="How much of a conversation goes to a model.")
    redis_url: SecretStr | None = Field(
        None, description="Redis for the caches, such as redis://localhost:6379/0. Unset: in the process."
    )
    cache_ttl_s: int = Field(3_600, ge=0, le=604_800, description="Seconds an answer is served again; 0 for never.")
    embedding_model: str | None = Field(
        None, description="Embedding model on that server. Unset: the embedded all-MiniLM-L6-v2."
    )
    embedding_dimensions: int | None = Field(
        None, ge=1, le=4000, description="Length to ask vectors in, for models that can shorten them."
    )
    tickets: TicketPolicy = Field(
        TicketPolicy.OPEN, description="When the documents hold no answer: open a ticket, offer one, or off."
    )
    top_k: int = Field(8, ge=1, le=20, description="Passages found for one question.")
    max_question_characters: int = Field(8_000, ge=100, le=100_000, description="Longer questions are refused.")
    max_file_mb: int = Field(
        10, ge=1, le=200, description="Larger documents are refused; so are texts of over 5 million characters."
    )
    fetch_allow_hosts: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Hosts on private networks whose pages may be ingested, separated by commas."
    )
    fetch_allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), description="Private networks whose pages may be ingested, such as 10.1.0.0/16, separated by commas."
    )
    http_keys: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="Installations of the HTTP channel and their keys: NAME=KEY, separated by commas. Unset: none.",
        repr=False,
    )
    http_callbacks: Annotated[dict[str, str], NoDecode] = Field(
        {}, description="Where installations of the HTTP channel want answers sent: NAME=ADDRESS, separated by commas."
    )
    http_callback_secrets: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="What those calls are signed with: NAME=whsec_BASE64 of 24 bytes or more, separated by commas.",
        repr=False,
    )
    slack_bot_token: SecretStr | None = Field(
        None, description="Slack, in one workspace: the bot token, xoxb-... Unset: no Slack, or SLACK_CLIENT_ID."
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="What Slack signs its requests with; needed where Slack calls this server."
    )
    slack_app_token: SecretStr | None = Field(
        None, description="Socket Mode, where Slack cannot call this server: the app token, xapp-..."
    )
    slack_connections: int = Field(2, ge=2, le=10, description="Connections of Socket Mode in each process.")
    slack_client_id: str | None = Field(
        None, description="Slack, in many workspaces: the client id of the app, which is then installed with OAuth."
    )
    slack_client_secret: SecretStr | None = Field(None, description="Its client secret.")
    slack_encryption_keys: SecretStr | None = Field(
        None,
        description="What tokens are encrypted with in the database: keys separated by commas, the newest first.",
    )
    slack_workspaces: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Workspaces (T...) that may install it, separated by commas; * for every one. Unset: none.",
    )
    slack_prefix: str = Field("/frontdesk", description="The slash command of the app in Slack.")
    slack_ticket_channel: str | None = Field(
        None,
        description="Channel in which new tickets are announced and answered: C..., or T.../C... where there are "
        "several workspaces. Unset: none.",
    )
    slack_administrators: str = Field(
        "admins",
        description="Whom a workspace makes administrators: admins, owners, ids of people (U..., T.../U...) and of "
        "user groups (S...), separated by commas, or none.",
    )
    slack_home_workspaces: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Of several workspaces, those (T...) whose own administrators administer, separated by commas. "
        "Unset: the one of SLACK_WORKSPACES where it names one alone, else none.",
    )
    slack_guests: Literal["restrict", "allow"] = Field(
        "restrict",
        description="Guests and people of other organisations read what is granted to their channel by name; allow: "
        "what employees read.",
    )
    slack_api_url: str = Field(
        "https://slack.com/api/", description="Address of Slack's Web API; another one for an emulator."
    )
    telegram_bots: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="Bots of Telegram and their tokens from @BotFather: NAME=TOKEN, or NAME@NUMBER=TOKEN for another "
        "tenant than TENANT_ID, separated by commas. Unset: none.",
        repr=False,
    )
    telegram_mode: Literal["auto", "webhook", "polling"] = Field(
        "auto", description="How updates arrive: webhook, polling, or auto for a webhook where PUBLIC_URL is https."
    )
    telegram_secret: SecretStr | None = Field(
        None, description="What Telegram sends with each update of a webhook. Unset: one made from each bot's token."
    )
    telegram_administrators: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Ids of people who administer through Telegram, with the bots of TENANT_ID; separated by commas.",
    )
    telegram_api_url: str = Field(
        "https://api.telegram.org", description="Address of the Bot API; another one for a server of your own."
    )
    teams_app_id: str | None = Field(
        None, description="Microsoft Teams: the id of the bot's registration (Microsoft App ID). Unset: no Teams."
    )
    teams_app_password: SecretStr | None = Field(
        None, description="A client secret of that registration; not for a managed identity."
    )
    teams_app_type: Literal["SingleTenant", "MultiTenant", "UserAssignedMSI"] = Field(
        "SingleTenant", description="The kind of registration; Microsoft makes no new MultiTenant ones."
    )
    teams_tenant_id: str | None = Field(None, description="Directory (tenant) id of the registration.")
    teams_tenants: Annotated[dict[str, int], NoDecode] = Field(
        {},
        description="Directories whose people are served: ID, or ID=NUMBER for a tenant of their own, separated by "
        "commas; * for every one. Unset: that of the registration.",
    )
    teams_authentication: Literal["on", "off"] = Field(
        "on", description="Off for a client on this machine: refused unless the server listens on loopback alone."
    )
    teams_metadata_url: str = Field(
        "https://login.botframework.com/v1/.well-known/openidconfiguration",
        description="Where the Bot Framework's keys are named; another address for government clouds.",
    )
    teams_login_url: str = Field(
        "https://login.microsoftonline.com", description="Where the bot signs in; another address for other clouds."
    )
    teams_hosts: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Further hosts of the service and of files, as HOST:PORT, for an emulator; separated by commas.",
    )
    identity_endpoint: str | None = Field(
        None, description="Set by Azure App Service: where a managed identity gets its tokens."
    )
    identity_header: SecretStr | None = Field(None, description="Set by Azure App Service beside it.")
    worker_concurrency: int | None = Field(
        None,
        ge=1,
        le=200,
        description="Answers under way at once in one process. Unset: 8 where a language model is waited for, else one "
        "for each processor.",
    )
    waiting_limit: int = Field(
        10_000, ge=1, le=10_000_000, description="Messages of one tenant that may wait; more are refused until later."
    )
    author_per_minute: int = Field(
        30, ge=1, le=10_000_000, description="Messages that one author may send in a minute; more are refused."
    )
    inbox_days: int = Field(
        30, ge=1, le=3_650, description="Days after which the inbox forgets what was answered; conversations stay."
    )
    drain_s: float = Field(
        8.0,
        ge=0,
        le=8,
        description="Seconds, at most 8, that answers under way have to end when a process is told to stop.",
    )
    public_url: str | None = Field(
        None,
        description="Address under which the web server is reached from outside, such as https://help.example.org.",
    )
    metrics_key: SecretStr | None = Field(
        None, description="Bearer token that /metrics asks for. Unset: none, so keep it inside your network."
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="OpenTelemetry collector (OTLP over HTTP) that traces go to. Unset: no traces."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="What is logged to stderr.")

    @field_validator(
        "model_keys", "http_keys", "http_callbacks", "http_callback_secrets", "telegram_bots", mode="before"
    )
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return dict(part.strip().partition("=")[::2] for part in value.split(",")) if isinstance(value, str) else value

    @field_validator(
        "fetch_allow_hosts",
        "fetch_allow_networks",
        "models",
        "slack_home_workspaces",
        "slack_workspaces",
        "teams_hosts",
        "telegram_administrators",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("slack_api_url", mode="after")
    @classmethod
    def _api_url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("write it as https://slack.com/api/")
        return value.rstrip("/") + "/"

    @field_validator("slack_prefix", mode="after")
    @classmethod
    def _prefix(cls, value: str) -> str:
        return value if value.startswith("/") else f"/{value}"

    @field_validator("telegram_bots", mode="after")
    @classmethod
    def _bots(cls, value: dict[str, str]) -> dict[str, str]:
        if any(not re.fullmatch(r"[A-Za-z0-9_-]{1,64}(@[1-9][0-9]{0,8})?", name) for name in value):
            raise ValueError("write it as NAME=TOKEN or NAME@NUMBER=TOKEN; a name has letters, digits, _ and -")
        if len({name.partition("@")[0] for name in value}) < len(value):
            raise ValueError("each bot needs a name of its own, whatever its tenant")
        if any(not re.fullmatch(r"\d{1,20}:[A-Za-z0-9_-]{10,}", token) for token in value.values()):
            raise ValueError("a token looks like 123456:ABC...; copy it from @BotFather again")
        return value

    @field_validator("telegram_secret", mode="after")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", value.get_secret_value()):
            raise ValueError("16 to 256 letters, digits, _ and -")
        return value

    @field_validator("telegram_api_url", mode="after")
    @classmethod
    def _bot_api_url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("write it as https://HOST")
        return value.rstrip("/")

    @field_validator("telegram_administrators", mode="after")
    @classmethod
    def _ids(cls, value: frozenset[str]) -> frozenset[str]:
        if not all(part.isascii() and part.isdigit() for part in value):
            raise ValueError("ids are numbers, such as 123456789")
        return value

    @field_validator("teams_tenants", mode="before")
    @classmethod
    def _tenants(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = (part.strip().partition("=") for part in value.split(",") if part.strip())
        return {name.strip().lower(): number or 0 for name, _, number in pairs}

    @field_validator("public_url", mode="after")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("write it as https://HOST")
        return value.rstrip("/") if value else None

    @field_validator("database_url", "database_owner_url", mode="after")
    @classmethod
    def _postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("write it as postgresql://USER:PASSWORD@HOST/DATABASE")
        return value


def telegram_bots(settings: Settings) -> list[tuple[str, int, str]]:
    """List the name, the tenant and the token of each bot of Telegram."""
    named = ((*written.partition("@")[::2], token) for written, token in settings.telegram_bots.items())
    return [(name, int(number or settings.tenant_id), token) for name, number, token in named]


def tenants(settings: Settings) -> tuple[int, ...]:
    """List the tenants that SETTINGS name, that of the command line first."""
    named = {number or settings.tenant_id for number in settings.teams_tenants.values()}
    named |= {tenant_id for _, tenant_id, _ in telegram_bots(settings)}
    return (settings.tenant_id, *sorted(named - {settings.tenant_id}))


def secrets(settings: Settings) -> list[str]:
    """List the values that must appear in no log."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    keys = [
        *settings.model_keys.values(),
        *settings.http_keys.values(),
        *settings.http_callback_secrets.values(),
        *settings.telegram_bots.values(),
    ]
    if settings.slack_encryption_keys is not None:  # each of them is one by itself
        keys += (key.strip() for key in settings.slack_encryption_keys.get_secret_value().split(",") if key.strip())
    return [*keys, *(value.get_secret_value() for value in values if isinstance(value, SecretStr))]


def load() -> Settings:
    """Read the settings; raises UsageError naming every variable that is wrong."""
    try:
        return Settings()
    except UnicodeDecodeError as error:
        raise UsageError("The file .env is not UTF-8; save it again as UTF-8.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{str(part['loc'][0]).upper()}: {part['msg']}" for part in error.errors(include_input=False))
        raise UsageError(f"Settings are wrong: {wrong}. See .env.example.") from None
