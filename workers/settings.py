"""Settings from the environment, read once at process start. The only place that reads `os.environ`."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from workers.errors import SettingsError
from workers.scopes import SCOPES, Scope

PREFIX = "ECONEURA_"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Settings(BaseSettings):
    """Everything an operator can set. Names in the environment: the prefix and the upper-cased field name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, populate_by_name=True
    )

    # Where we listen.
    host: str = Field("127.0.0.1", validation_alias="HOST")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(3001, validation_alias="PORT")
    public_url: str | None = None
    """Base under which Graph reaches `/listen`. Unset: no subscriptions, mailboxes are synced by timer."""
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    api_processes: PositiveInt = 1
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where `worker` and `scheduler` show this host's metrics, at HOST: for hosts that run no api."""

    # Redis. Without an address a private server is started in the data directory.
    redis_url: str | None = Field(None, validation_alias="REDIS_URL")
    redis_host: str | None = Field(None, validation_alias="REDIS_HOST")
    redis_port: Annotated[int, Field(ge=1, le=65535)] = Field(6379, validation_alias="REDIS_PORT")
    redis_timeout_s: PositiveFloat = 5.0
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "econeura"
    partitions: PositiveInt = 1

    # Microsoft Graph.
    organizations: Path | None = None
    graph_url: str = "https://graph.microsoft.com/v1.0"
    login_url: str = "https://login.microsoftonline.com"
    ca_file: Path | None = None
    graph_timeout_s: PositiveFloat = 20.0
    notifications: Literal["basic", "rich"] = "basic"
    """What Graph is to send: that something arrived, or also what, encrypted and with a token to check."""
    graph_sends_per_minute: PositiveInt = 30
    """Exchange's limit for each mailbox; a tenant may have been granted more."""

    # Processes.
    data_dir: Path = Path("data")
    worker_processes: PositiveInt = 1
    worker_threads: PositiveInt = 256
    worker_memory_limit_mb: PositiveInt = 1024
    shutdown_grace_s: PositiveFloat = 30.0

    # Times.
    sync_interval_s: PositiveInt = 900
    """A folder not synced for this long is synced by the timer, notifications or not."""
    content_ttl_s: PositiveInt = 86400
    ledger_retention_days: PositiveInt = 90
    report_retention_days: PositiveInt = 400
    export_retention_days: PositiveInt = 800
    dead_letter_retention_days: PositiveInt = 30
    audit_retention_days: PositiveInt = 400
    export_url: str | None = None

    # The organizations' own webhooks.
    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Networks (10.0.0.0/8,127.0.0.1) that they may lead to; of all others only public addresses."""

    # Telling.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"

    otlp_endpoint: str | None = Field(None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    """Collector (OTLP over HTTP) of the traces; needs the extra `otel`."""

    # Who may call, and how often. A minute's requests may come at once; 0 lifts a limit.
    key_requests_per_minute: NonNegativeInt = 300_000
    address_requests_per_minute: NonNegativeInt = 300_000
    listen_requests_per_minute: NonNegativeInt = 600_000
    """For each address that sends notifications: Graph sends in bursts, and sends again what is refused."""
    api_connections: PositiveInt = 4096
    """Of one process; beyond, a new one takes the place of one that has been idle for longest."""
    api_requests_in_hand: PositiveInt = 2000
    """Of one process; what comes beyond is told to come again."""
    queue_limit_messages: PositiveInt = 500_000
    """Waiting messages beyond which no more are submitted."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Networks of the proxies before us, whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins (https://desk.acme.example) whose web pages may call the API."""
    bootstrap_key_file: Path | None = None
    metrics_key_file: Path | None = None
    docs_without_key: bool = False
    metrics_without_key: bool = False
    entra_issuer: str | None = None
    """Whose bearer tokens are taken, as they name it: https://login.microsoftonline.com/TENANT/v2.0."""
    entra_audience: str | None = None
    entra_roles: str = "read=read;submit=submit;operate=operate;admin=admin"
    """What each app role is good for: ROLE=SCOPE,SCOPE;ROLE=SCOPE."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings)

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("webhook_networks", "trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(checked_url(origin))
            if origin != f"{parts.scheme}://{parts.netloc}".lower() or "@" in origin or "*" in origin:
                raise ValueError(
                    f"{origin!r}: write an origin as browsers do, such as https://desk.acme.example"
                )
        return value

    @field_validator("graph_url", "login_url", "public_url")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return checked_url(value).rstrip("/")

    @field_validator("entra_issuer")
    @classmethod
    def _issuer_url(cls, value: str | None) -> str | None:
        # To the letter as tokens name it: some issuers end with a slash.
        return None if value is None else checked_url(value)

    @field_validator("entra_roles")
    @classmethod
    def _roles(cls, value: str) -> str:
        _scopes_by_role(value)
        return value

    @field_validator("organizations", "ca_file", "tls_cert_file", "tls_key_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no file at {value}")
        return value

    @model_validator(mode="after")
    def _pairs(self) -> Settings:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("ECONEURA_TLS_CERT_FILE and ECONEURA_TLS_KEY_FILE go together: set both or none")
        if (self.entra_issuer is None) != (self.entra_audience is None):
            raise ValueError(
                "ECONEURA_ENTRA_ISSUER and ECONEURA_ENTRA_AUDIENCE go together: set both or none"
            )
        return self

    @property
    def scopes_by_role(self) -> dict[str, tuple[Scope, ...]]:
        """`entra_roles`, read."""
        return _scopes_by_role(self.entra_roles)

    @property
    def metrics_dir(self) -> Path:
        return self.data_dir / "metrics"


def is_safe_url(url: str) -> bool:
    """Whether secrets and mail may travel there: https, or http where nobody can listen."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _scopes_by_role(text: str) -> dict[str, tuple[Scope, ...]]:
    roles = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        role, _, words = part.partition("=")
        named = {word.strip() for word in words.split(",")}
        if not role.strip() or not named <= set(SCOPES):
            raise ValueError(f"{part!r}: write ROLE=SCOPE,SCOPE with scopes of {', '.join(SCOPES)}")
        roles[role.strip()] = tuple(scope for scope in SCOPES if scope in named)
    return roles


def checked_url(value: str) -> str:
    """The value; raises ValueError for one that is no URL, or that others can read in passing."""
    parts = urlsplit(value)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError("must be a URL such as https://host")
    if not is_safe_url(value):
        raise ValueError("must be https (http is allowed on loopback only)")
    return value


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and `*_FILE` secrets; raises SettingsError naming what is wrong."""
    _refuse_unknown_names()
    try:
        return Settings(**_from_files(), **overrides)
    except ValidationError as invalid:
        raise SettingsError(_say(invalid)) from None


def secret(reference: str, *, relative_to: Path) -> str:
    """Resolve `env:NAME` or `file:PATH` (relative to the settings file) to the secret itself."""
    kind, _, rest = reference.partition(":")
    if kind == "env" and rest:
        value = os.environ.get(rest)
        if not value:
            raise SettingsError(f"{reference!r}: the environment variable {rest} is not set")
        return value
    if kind == "file" and rest:
        path = relative_to / Path(rest)
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as unreadable:
            raise SettingsError(f"{reference!r}: cannot read {path}: {unreadable.strerror}") from None
    raise SettingsError('a secret is written as "env:NAME" or "file:PATH", never in the file itself')


def set_process_environment(**names: str) -> None:
    """Set variables that a library reads at import (prometheus' multiprocess directory)."""
    os.environ.update(names)


def _environment_names() -> dict[str, str]:
    """Environment name -> field name."""
    return {
        str(field.validation_alias or f"{PREFIX}{name.upper()}"): name
        for name, field in Settings.model_fields.items()
    }


def _refuse_unknown_names() -> None:
    known = _environment_names()
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name not in known and name.removesuffix("_FILE") not in known
    )
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}: check the spelling against the README")


def _from_files() -> dict[str, Any]:
    """Values given as NAME_FILE (container secrets), e.g. REDIS_URL_FILE."""
    values: dict[str, Any] = {}
    for name, field in _environment_names().items():
        path = os.environ.get(f"{name}_FILE")
        if path and f"{name}_FILE" not in _environment_names():
            try:
                values[field] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as unreadable:
                raise SettingsError(f"{name}_FILE: cannot read {path}: {unreadable.strerror}") from None
    return values


def _say(invalid: ValidationError) -> str:
    names = {field: name for name, field in _environment_names().items()}
    problems = []
    for error in invalid.errors():
        where = str(error["loc"][0]) if error["loc"] else ""
        label = names.get(where, where)
        text = error["msg"].removeprefix("Value error, ")
        problems.append(f"{label}: {text}" if label else text)
    return "; ".join(problems)
