"""The table of the secret that the servers of a database share; it belongs to no project."""

from sqlalchemy import Boolean, CheckConstraint, Column, LargeBinary, MetaData, Table, true

SERVER = MetaData()
"""The tables of the server itself, apart from those of projects: requests have no right to read them."""

server_secrets = Table(
    "server_secrets",
    SERVER,
    # At most one row: the key can only be true.
    Column(
        "single",
        Boolean,
        CheckConstraint("single", name="server_secrets_single_check"),
        primary_key=True,
        server_default=true(),
    ),
    Column(
        "secret",
        LargeBinary,
        CheckConstraint("octet_length(secret) = 32", name="server_secrets_secret_check"),
        nullable=False,
    ),
)
