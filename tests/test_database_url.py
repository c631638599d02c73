"""Database URLs of common forms are translated, or refused with an error that names the wrong part."""

import ssl
from typing import Any

import pytest

from agentdata.database_url import DatabaseUrlError, parse

DEFAULTS = {"server_settings": {"application_name": "agentdata"}}


def connect_arguments(url: str) -> dict[str, Any]:
    """Return the arguments for asyncpg, without those that every URL gets."""
    target = parse(url)
    _, arguments = target.url.get_dialect()().create_connect_args(target.url)
    return {k: v for k, v in {**arguments, **target.connect_args}.items() if v != DEFAULTS["server_settings"]}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://ann:pw@db:5433/data",
            {"host": "db", "port": 5433, "user": "ann", "password": "pw", "database": "data"},
        ),
        ("postgres://ann@db/data", {"host": "db", "user": "ann", "database": "data"}),
        ("postgresql+asyncpg://db/data", {"host": "db", "database": "data"}),
        ("postgresql+psycopg://db", {"host": "db"}),
        ("  postgresql://db/data\n", {"host": "db", "database": "data"}),
        ("postgresql:///data", {"database": "data"}),
        (
            "postgresql://ann:p%40s%2Fs%3A@db/data",
            {"host": "db", "user": "ann", "password": "p@s/s:", "database": "data"},
        ),
        (
            "postgresql://ann:p@ss:w#rd@db/data",
            {"host": "db", "user": "ann", "password": "p@ss:w#rd", "database": "data"},
        ),
        ("postgresql://[::1]:5433/data", {"host": "::1", "port": 5433, "database": "data"}),
        ("postgresql:///data?host=/run/pg&port=5433", {"host": "/run/pg", "port": 5433, "database": "data"}),
        ("postgresql://ann@/data?host=/run/p%20g", {"host": "/run/p g", "user": "ann", "database": "data"}),
        ("postgresql://%2Frun%2Fpg/data", {"host": "/run/pg", "database": "data"}),
        (
            "postgresql://?host=db&port=5433&user=ann&password=p%2Bw&dbname=data",
            {"host": "db", "port": 5433, "user": "ann", "password": "p+w", "database": "data"},
        ),
        ("postgresql://a:5433,b/data", {"host": ["a", "b"], "port": [5433, 5432], "database": "data"}),
        ("postgresql:///data?host=a,b&port=1,2", {"host": ["a", "b"], "port": [1, 2], "database": "data"}),
        ("postgresql:///data?host=a,b&port=9", {"host": ["a", "b"], "port": [9, 9], "database": "data"}),
    ],
)
def test_host_port_user_and_database_are_parsed(url: str, expected: dict[str, object]) -> None:
    assert connect_arguments(url) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sslmode=require", {"dsn": "postgresql://?sslmode=require"}),
        (
            "sslmode=verify-full&sslrootcert=/a%20b.pem",
            {"dsn": "postgresql://?sslmode=verify-full&sslrootcert=%2Fa%20b.pem"},
        ),
        ("sslmode=no-verify", {"dsn": "postgresql://?sslmode=require"}),
        ("ssl=true", {"dsn": "postgresql://?sslmode=require"}),
        ("ssl=false", {"dsn": "postgresql://?sslmode=disable"}),
        ("sslaccept=strict", {"dsn": "postgresql://?sslmode=verify-full"}),
        ("target_session_attrs=primary", {"dsn": "postgresql://?target_session_attrs=primary"}),
        ("connect_timeout=5", {"timeout": 5}),
        ("connect_timeout=0", {"timeout": None}),
        ("socket_timeout=7", {"command_timeout": 7}),
        ("statement_cache_size=3", {"statement_cache_size": 3}),
        ("pgbouncer=true", {"statement_cache_size": 0, "prepared_statement_cache_size": 0}),
        (
            "statement_cache_size=50&pgbouncer=true",
            {"statement_cache_size": 0, "prepared_statement_cache_size": 0},
        ),
        (
            "pgbouncer=true&statement_cache_size=50",
            {"statement_cache_size": 0, "prepared_statement_cache_size": 0},
        ),
        ("pgbouncer=false", {}),
        ("application_name=batch", {"server_settings": {"application_name": "batch"}}),
        (
            "schema=tenant%22s",
            {"server_settings": {"application_name": "agentdata", "search_path": '"tenant""s"'}},
        ),
        (
            "options=-c%20work_mem=8MB",
            {"server_settings": {"application_name": "agentdata", "options": "-c work_mem=8MB"}},
        ),
        ("keepalives=1&gssencmode=prefer&channel_binding=prefer&client_encoding=UTF-8&sslmode=", {}),
    ],
)
def test_connection_parameters_are_translated(query: str, expected: dict[str, object]) -> None:
    assert connect_arguments(f"postgresql:///?{query}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("pool_size=5&max_overflow=2&pool_timeout=3", {"pool_size": 5, "max_overflow": 2, "pool_timeout": 3}),
        ("connection_limit=4&pool_timeout=0", {"pool_size": 4, "max_overflow": 0, "pool_timeout": None}),
        ("pool_recycle=300", {"pool_recycle": 300}),
    ],
)
def test_pool_parameters_are_translated(query: str, expected: dict[str, object]) -> None:
    assert parse(f"postgresql:///?{query}").pool_args == expected


@pytest.mark.parametrize(
    ("query", "expected"), [("", False), ("pgbouncer=true", True), ("pgbouncer=false", False)]
)
def test_pgbouncer_is_recognized(query: str, expected: bool) -> None:  # noqa: FBT001  # a table of cases
    assert parse(f"postgresql:///?{query}").pgbouncer is expected


def test_sslrootcert_system_trusts_the_certificates_of_the_system() -> None:
    context = parse("postgresql://db/?sslmode=verify-full&sslrootcert=system").connect_args["ssl"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "postgresql://user:password@host:port/database"),
        ("ann:secret@db/data", "postgresql://user:password@host:port/database"),
        ("mysql://ann:secret@db/data", "mysql://"),
        ("jdbc:postgresql://db/data?password=secret", "postgresql://user:password@host:port/database"),
        ("postgresql://ann:secret@db:port/data", "port"),
        ("postgresql://ann:secret@db:99999/data", "port"),
        ("postgresql://ann:secret@a:b:c/data", "port"),
        ("postgresql://ann:se/secret@db/data", "port"),
        ("postgresql://ann:12/secret@db/data", "%2F"),
        ("postgresql://ann:secret@a,b,c/data?port=1,2", "one port"),
        ("postgresql://ann:secret@db/?nonsense=1", "nonsense"),
        ("postgresql://ann:secret@db/?secret", "no ="),
        ("postgresql://ann:secret@db/?sslmode=yes", "sslmode"),
        ("postgresql://ann:secret@db/?sslmode=require&sslrootcert=system", "sslrootcert"),
        ("postgresql://ann:secret@db/?pool_size=0", "pool_size"),
        ("postgresql://ann:secret@db/?pool_size=many", "pool_size"),
        ("postgresql://ann:secret@db/?max_overflow=1.5", "max_overflow"),
        ("postgresql://ann:secret@db/?connection_limit=0", "connection_limit"),
        ("postgresql://ann:secret@db/?connect_timeout=-1", "connect_timeout"),
        ("postgresql://ann:secret@db/?pgbouncer=maybe", "pgbouncer"),
        ("postgresql://ann:secret@db/?channel_binding=require", "channel_binding"),
        ("postgresql://ann:secret@db/?gssencmode=require", "gssencmode"),
        ("postgresql://ann:secret@db/?client_encoding=latin1", "client_encoding"),
    ],
)
def test_an_error_names_the_wrong_part_without_the_password(url: str, named: str) -> None:
    with pytest.raises(DatabaseUrlError) as error:
        parse(url)
    assert named in str(error.value)
    assert "secret" not in str(error.value).replace("parameter secret", "")


def test_the_password_is_not_printed() -> None:
    assert "secret" not in repr(parse("postgresql://ann:secret@db/data?sslpassword=secret"))
