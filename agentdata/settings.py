"""Declares and describes all settings, which are read once from the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentdata.addresses import Network, networks
from agentdata.processes import MOST_WORKERS
from agentdata.setup_error import SetupError

MIB = 1024 * 1024


class Settings(BaseSettings):
    """The settings; an empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTDATA_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = Field(default="127.0.0.1", description="Address that the API listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port of the API; 0 takes any free one.")
    workers: int = Field(
        default=1,
        ge=1,
        le=MOST_WORKERS,
        description="Server processes that share the port; each holds connections of its own.",
    )
    data_dir: Path = Field(
        default=Path(".agentdata"),
        description="Folder of the embedded database and of the file `api-key` with the first API key.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="database_url",
        description="URL of a PostgreSQL to use instead of the embedded one: a libpq, Heroku or Prisma URL.",
    )
    migration_database_url: SecretStr | None = Field(
        default=None,
        description="URL of the tables' owner for migrations, where DATABASE_URL logs in as a lesser role.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="API key whose project commands use, instead of the data folder's `api-key`.",
    )
    pool_size: int = Field(
        default=20, ge=1, le=1000, description="Largest number of open database connections."
    )
    pool_timeout_s: float = Field(
        default=10, gt=0, le=600, description="Seconds a request waits for a connection before OVERLOADED."
    )
    statement_timeout_ms: int = Field(
        default=10_000,
        ge=1,
        le=3_600_000,
        description="Milliseconds after which a statement of a request is cancelled.",
    )
    max_body_bytes: int = Field(
        default=16 * MIB, ge=1024, le=1024 * MIB, description="Largest request body in bytes."
    )
    max_answer_bytes: int = Field(
        default=64 * MIB,
        ge=1024,
        le=1024 * MIB,
        description="Largest answer in bytes, and the most that is read from the database for one.",
    )
    operation_timeout_s: float = Field(
        default=30, gt=0, le=3600, description="Seconds after which a whole operation is stopped."
    )
    project_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Percent of the connections that the operations of one project may use at a time.",
    )
    key_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Percent of the connections that the operations of one API key may use at a time.",
    )
    queue_length: int = Field(
        default=200,
        ge=0,
        le=100_000,
        description="How many operations of one API key, of one project, or on one object may wait.",
    )
    rate_points_per_s: float = Field(
        default=0, ge=0, le=1_000_000_000, description="Points an API key gains in a second; 0: no limit."
    )
    rate_burst_points: int = Field(
        default=0,
        ge=0,
        le=1_000_000_000,
        description="Points an API key may spend at once; 0: what it gains in 10 seconds.",
    )
    audit_reads: bool = Field(
        default=False,
        description="Whether each operation that reads leaves an access record, as each write does.",
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="Largest number of connections of a process; less if it may open fewer files.",
    )
    max_connections_per_address: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Largest number of connections of one address; half of all if empty.",
    )
    header_timeout_s: float = Field(
        default=10, gt=0, le=600, description="Seconds in which the headers of a request must arrive."
    )
    body_timeout_s: float = Field(
        default=60, gt=0, le=3600, description="Seconds in which the body of a request must arrive."
    )
    client_pause_s: float = Field(
        default=10,
        gt=0,
        le=600,
        description="Seconds that a client may pause while it sends a body or receives an answer.",
    )
    keep_alive_s: int = Field(
        default=75,
        ge=1,
        le=3600,
        description="Seconds that a connection stays open without a request; more than a proxy keeps it.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses and networks of the proxies to believe about clients, with commas.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose web pages may call the API, separated by commas; none if empty.",
    )
    get: bool = Field(default=True, description="Whether queries may be sent by GET.")
    graphiql: bool = Field(
        default=True, description="Whether browsers get GraphiQL, the page for exploring the API."
    )
    introspection: bool = Field(default=True, description="Whether queries may ask for the schema.")
    suggestions: bool = Field(
        default=True, description="Whether errors suggest names of the schema; not without introspection."
    )
    persisted_documents: bool = Field(
        default=True, description="Whether clients may store documents and then send only their hashes."
    )
    trusted_documents_file: Path | None = Field(
        default=None, description="Manifest of documents that requests may name by their identifiers."
    )
    trusted_documents: Literal["also", "only"] = Field(
        default="also", description="Whether documents of the manifest may `also` be run, or `only` those."
    )
    jwt_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Secret of tokens that are signed with HS256, at least 32 characters.",
    )
    jwt_jwks: str | None = Field(
        default=None,
        description="Path or https URL of a JWKS document with the keys of RS256 and ES256 tokens.",
    )
    jwt_issuer: str | None = Field(default=None, description="The `iss` that tokens must have.")
    jwt_audience: str | None = Field(default=None, description="The `aud` that tokens must have.")
    jwt_project_claim: str = Field(
        default="agentdata_project", description="Claim with the id or slug of a token's project."
    )
    jwt_scopes_claim: str = Field(
        default="agentdata_scopes", description="Claim with a token's scopes: a list, or a text with spaces."
    )
    jwt_user_claim: str = Field(
        default="agentdata_user", description="Claim with the id or externalId of a token's end user."
    )
    embeddings_url: str | None = Field(
        default=None,
        description="Address of an endpoint like OpenAI's `/v1/embeddings`, or its base, that makes vectors.",
    )
    embeddings_model: str | None = Field(
        default=None, max_length=200, description="Model that the endpoint makes vectors with."
    )
    embeddings_api_key: SecretStr | None = Field(
        default=None, description="Key of the endpoint, which is sent to it as a bearer token."
    )
    embeddings_dimensions: int | None = Field(
        default=None,
        ge=1,
        le=4_000,
        description="Size of the vectors to ask the endpoint for; that of the model if empty.",
    )
    embeddings_batch: int = Field(
        default=32, ge=1, le=2048, description="Largest number of texts in a request to the endpoint."
    )
    embeddings_max_characters: int = Field(
        default=8_000,
        ge=100,
        le=1_000_000,
        description="Characters of a text that are sent to the endpoint; it does not see the rest.",
    )
    embeddings_requests: int = Field(
        default=4, ge=1, le=100, description="Largest number of requests that the endpoint has at a time."
    )
    embeddings_timeout_s: float = Field(
        default=60,
        gt=0,
        le=3600,
        description="Seconds after which a worker gives up a request to the endpoint, and sends it again.",
    )
    embeddings_search_timeout_s: float = Field(
        default=5,
        gt=0,
        le=600,
        description="Seconds that a search waits for the endpoint before it does without.",
    )
    knowledge_paths: str = Field(
        default="",
        description="Folders that a worker may sync knowledge bases with, with commas; none if empty.",
    )
    worker: bool = Field(default=False, description="Whether `agentdata serve` runs a worker beside.")
    worker_jobs: int = Field(
        default=4, ge=1, le=100, description="Largest number of jobs that a worker does at a time."
    )
    shutdown_timeout_s: int = Field(
        default=3,
        ge=0,
        le=600,
        description="Seconds that running requests may still take when the server stops.",
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        default="info", description="Lowest level of log messages that are written."
    )
    slow_ms: int = Field(
        default=1000,
        ge=0,
        le=3_600_000,
        description="Milliseconds from which an operation is logged with its plan; 0 logs none.",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address that AGENTDATA_METRICS_PORT listens on."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="TCP port of its own for `/metrics`, without a key; none if empty, any free one if 0.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="Token for `/metrics` on the port of the API, which without it has no such path.",
    )
    otel: bool = Field(
        default=False,
        description="Whether OpenTelemetry traces are sent, by the extra `otel` and its OTEL_* variables.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="How log lines are written: `text`, or `json` with one object a line."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, text: str) -> str:
        networks(text)
        return text

    @property
    def knowledge_folders(self) -> list[Path]:
        """The folders that a worker may sync knowledge bases with."""
        return [Path(name.strip()) for name in self.knowledge_paths.split(",") if name.strip()]

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """The networks of the trusted proxies."""
        return networks(self.trusted_proxies)


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises SetupError that names every variable with a bad value, but no value, which may be secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{_variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors())
        raise SetupError(f"bad environment: {problems}") from None


def _variable(field: str) -> str:
    """Return the name of the environment variable of a field."""
    return field.upper() if field == "database_url" else f"AGENTDATA_{field.upper()}"
