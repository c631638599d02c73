"""Translates the PostgreSQL URLs of libpq, Heroku, Prisma and SQLAlchemy for asyncpg.

asyncpg under SQLAlchemy knows few parameters of these URLs and fails on the others with a TypeError, so each
parameter is translated here or refused by name. TLS parameters go to asyncpg in a DSN, because asyncpg gives
them libpq's meaning only there.
"""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import URL

from agentdata.setup_error import SetupError

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

UNPREPARED = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
"""Connection arguments by which no statement stays prepared."""

# asyncpg reads these from a DSN, with libpq's meaning.
_DSN_PARAMETERS = {
    "sslcert", "sslkey", "sslcrl", "sslpassword", "sslnegotiation", "ssl_min_protocol_version",
    "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib", "passfile", "service",
}  # fmt: skip

# These only tune the client's socket.
_WITHOUT_EFFECT = {
    "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "sslsni",
    "sslcompression", "fallback_application_name",
}  # fmt: skip

_URL = re.compile(
    r"(?P<scheme>[\w+.-]+)://(?P<authority>[^/?]*)(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?", re.DOTALL
)
_SCHEMES = re.compile(r"postgres(ql)?(\+(asyncpg|psycopg|psycopg2))?")


class DatabaseUrlError(SetupError):
    """The URL of the database cannot be used; the message names the part at fault, never the password."""


@dataclass(frozen=True)
class DatabaseTarget:
    """The arguments of `create_async_engine(url, connect_args=…)` and of our pool.

    `pool_args` holds only the arguments that the URL sets: pool_size, max_overflow, pool_timeout (seconds;
    None waits for ever) and pool_recycle (seconds). `pgbouncer` says that transactions share sessions.
    """

    url: URL
    connect_args: dict[str, Any] = field(repr=False)
    pool_args: dict[str, Any]
    pgbouncer: bool = False

    def pool_size(self, default: int) -> int:
        """Return the most connections that a pool has; ``default`` is the number if the URL sets none."""
        size: int = self.pool_args.get("pool_size", default) + self.pool_args.get("max_overflow", 0)
        return size


def parse(text: str) -> DatabaseTarget:
    """Translate a URL; raises DatabaseUrlError."""
    parts = _URL.fullmatch(text.strip())
    if parts is None:
        raise DatabaseUrlError(
            "the database URL is not of the form postgresql://user:password@host:port/database"
        )
    if not _SCHEMES.fullmatch(parts["scheme"]):
        raise DatabaseUrlError(f"the database URL begins with {parts['scheme']}://, not with postgresql://")
    reader = _Reader()
    reader.read_authority(parts["authority"])
    if parts["database"]:
        if "@" in parts["database"]:
            raise DatabaseUrlError(
                "the database URL has an @ after a /: write / in a password as %2F, ? as %3F and @ as %40"
            )
        reader.database = unquote(parts["database"])
    for name, value in _parameters(parts["query"] or ""):
        reader.read_parameter(name, value)
    return reader.target()


def _parameters(query: str) -> list[tuple[str, str]]:
    """Split a query as libpq does: `+` is a plus, and a parameter with an empty value is not set."""
    pairs = []
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise DatabaseUrlError(f"the database URL's parameter {unquote(name)} has no = and value")
        if value:
            pairs.append((unquote(name), unquote(value)))
    return pairs


def _integer(name: str, value: str, least: int, most: int = 2**31 - 1) -> int:
    if not re.fullmatch(r"-?[0-9]{1,10}", value) or not least <= int(value) <= most:
        raise DatabaseUrlError(f"the database URL's {name} must be a whole number from {least} to {most}")
    return int(value)


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise DatabaseUrlError(f"the database URL's {name} must be one of {', '.join(choices)}")
    return value


class _Reader:
    """Collects the parts of one URL."""

    def __init__(self) -> None:
        self.user: str | None = None
        self.password: str | None = None
        self.database: str | None = None
        self.hosts: list[str] = []
        self.ports: list[int | None] = []
        self.dsn: dict[str, str] = {}
        self.server_settings = {"application_name": "agentdata"}
        self.connect_args: dict[str, Any] = {}
        self.pool_args: dict[str, Any] = {}
        self.shares_sessions = False

    def read_authority(self, authority: str) -> None:
        # The last @ ends the password, so a password may hold an unescaped @.
        credentials, _, hosts = authority.rpartition("@")
        if credentials:
            user, colon, password = credentials.partition(":")
            self.user = unquote(user) or None
            self.password = unquote(password) if colon else None
        if hosts:
            self._read_hosts(hosts)

    def _read_hosts(self, text: str) -> None:
        self.hosts, self.ports = [], []
        for host_and_port in text.split(","):
            parts = re.fullmatch(
                r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]*))(?::(?P<port>.*))?", host_and_port
            )
            if parts is None:
                raise DatabaseUrlError(
                    "the database URL's host is not of the form host, host:port or [ipv6]:port"
                )
            self.hosts.append(parts["v6"] or unquote(parts["host"]))
            self.ports.append(_integer("port", parts["port"], 1, 65535) if parts["port"] else None)

    def read_parameter(self, name: str, value: str) -> None:
        if name in _DSN_PARAMETERS:
            self.dsn[name] = value
        elif name in _PARAMETERS:
            _PARAMETERS[name](self, name, value)
        elif name not in _WITHOUT_EFFECT:
            raise DatabaseUrlError(f"the database URL's parameter {name} is not known; remove it")

    def text(self, name: str, value: str) -> None:
        setattr(self, {"dbname": "database"}.get(name, name), value)

    def host(self, _name: str, value: str) -> None:
        if value.startswith(("/", "@")):
            self.hosts, self.ports = [value], self.ports[:1] or [None]
        elif ":" in value and not value.startswith("[") and value.count(":") > 1 and "," not in value:
            self._read_hosts(f"[{value}]")
        else:
            self._read_hosts(value)

    def port(self, name: str, value: str) -> None:
        self.ports = [_integer(name, port, 1, 65535) if port else None for port in value.split(",")]

    def ssl_mode(self, name: str, value: str) -> None:
        # node-postgres calls libpq's require no-verify.
        self.dsn["sslmode"] = "require" if value == "no-verify" else _choice(name, value, SSL_MODES)

    def ssl_flag(self, name: str, value: str) -> None:
        self.dsn["sslmode"] = {"true": "require", "false": "disable"}[_choice(name, value, ("true", "false"))]

    def ssl_accept(self, name: str, value: str) -> None:
        modes = {"strict": "verify-full", "accept_invalid_certs": "require"}
        self.dsn["sslmode"] = modes[_choice(name, value, tuple(modes))]

    def root_certificate(self, name: str, value: str) -> None:
        if value == "system":
            self.connect_args["ssl"] = ssl.create_default_context()
        else:
            self.dsn[name] = value

    def optional_protection(self, name: str, value: str) -> None:
        if value == "require":
            raise DatabaseUrlError(
                f"the database URL's {name}=require cannot be met by asyncpg; remove it "
                "(sslmode=verify-full&sslrootcert=system proves the server's identity)"
            )
        _choice(name, value, ("disable", "prefer", "allow"))

    def client_encoding(self, name: str, value: str) -> None:
        _choice(name, value.lower().replace("-", ""), ("utf8", "auto"))

    def server_setting(self, name: str, value: str) -> None:
        self.server_settings[name] = value

    def schema(self, _name: str, value: str) -> None:
        self.server_settings["search_path"] = '"' + value.replace('"', '""') + '"'

    def connect_timeout(self, name: str, value: str) -> None:
        # libpq: zero waits for ever.
        self.connect_args["timeout"] = _integer(name, value, 0) or None

    def command_timeout(self, name: str, value: str) -> None:
        self.connect_args["command_timeout"] = _integer(name, value, 0) or None

    def statement_cache(self, name: str, value: str) -> None:
        self.connect_args.setdefault(name, _integer(name, value, 0))

    def pgbouncer(self, name: str, value: str) -> None:
        if _choice(name, value, ("true", "false")) == "true":
            self.shares_sessions = True
            # In transaction mode a statement prepared on one server connection is missing on the next.
            self.connect_args.update(UNPREPARED)

    def pool_number(self, name: str, value: str) -> None:
        least = {"pool_size": 1, "pool_recycle": -1}.get(name, 0)
        self.pool_args[name] = _integer(name, value, least)

    def connection_limit(self, name: str, value: str) -> None:
        self.pool_args.update(pool_size=_integer(name, value, 1), max_overflow=0)

    def pool_timeout(self, name: str, value: str) -> None:
        self.pool_args[name] = _integer(name, value, 0) or None

    def target(self) -> DatabaseTarget:
        if len(self.ports) == 1:
            self.ports *= max(len(self.hosts), 1)
        if self.hosts and len(self.ports) not in (0, len(self.hosts)):
            raise DatabaseUrlError("the database URL must name one port, or one for each host")
        query: dict[str, str] = {}
        host, port = None, self.ports[0] if self.ports else None
        if len(self.hosts) > 1:
            self.connect_args["host"] = self.hosts
            self.connect_args["port"] = [port or 5432 for port in self.ports]
        elif self.hosts and self.hosts[0].startswith(("/", "@")):
            query = {"host": self.hosts[0]} | ({"port": str(port)} if port else {})
            port = None
        elif self.hosts:
            host = self.hosts[0] or None
        if "ssl" in self.connect_args and self.dsn.get("sslmode", "verify-full") != "verify-full":
            raise DatabaseUrlError("the database URL's sslrootcert=system needs sslmode=verify-full")
        if self.dsn:
            self.connect_args["dsn"] = "postgresql://?" + "&".join(
                f"{name}={quote(value, safe='')}" for name, value in self.dsn.items()
            )
        self.connect_args["server_settings"] = self.server_settings
        url = URL.create(
            "postgresql+asyncpg",
            username=self.user,
            password=self.password,
            host=host,
            port=port,
            database=self.database,
            query=query,
        )
        return DatabaseTarget(url, self.connect_args, self.pool_args, self.shares_sessions)


_PARAMETERS: dict[str, Callable[[_Reader, str, str], None]] = {
    "host": _Reader.host,
    "hostaddr": _Reader.host,
    "port": _Reader.port,
    "user": _Reader.text,
    "password": _Reader.text,
    "dbname": _Reader.text,
    "sslmode": _Reader.ssl_mode,
    "ssl": _Reader.ssl_flag,
    "sslaccept": _Reader.ssl_accept,
    "sslrootcert": _Reader.root_certificate,
    "gssencmode": _Reader.optional_protection,
    "channel_binding": _Reader.optional_protection,
    "client_encoding": _Reader.client_encoding,
    "application_name": _Reader.server_setting,
    "options": _Reader.server_setting,
    "schema": _Reader.schema,
    "connect_timeout": _Reader.connect_timeout,
    "socket_timeout": _Reader.command_timeout,
    "command_timeout": _Reader.command_timeout,
    "pgbouncer": _Reader.pgbouncer,
    "statement_cache_size": _Reader.statement_cache,
    "prepared_statement_cache_size": _Reader.statement_cache,
    "connection_limit": _Reader.connection_limit,
    "pool_size": _Reader.pool_number,
    "max_overflow": _Reader.pool_number,
    "pool_recycle": _Reader.pool_number,
    "pool_timeout": _Reader.pool_timeout,
}
