"""JSON Web Tokens: which are accepted, whom they name, and how their keys are read."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr

from agentdata.app import create_app
from agentdata.errors import OverloadedError, UnauthenticatedError
from agentdata.operations import users
from agentdata.operations.unit_of_work import run
from agentdata.settings import Settings
from agentdata.setup_error import SetupError
from agentdata.tokens import LONGEST_TOKEN, KeySet, Tokens, id_of
from tests import factories
from tests.api import make_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from tests.api import Api

SECRET = "a secret of the tests, as long as the longest algorithm wants it to be"  # of the tests
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
PROJECT = str(uuid4())


def jwk(key: Any, **more: Any) -> dict[str, Any]:
    """Return the public key as an entry of a JWKS document."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    entry: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return entry | more


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a valid token; those that are changed to Ellipsis are left out."""
    whole = {
        "exp": time.time() + 60,
        "agentdata_project": PROJECT,
        "agentdata_scopes": ["READ"],
    } | changed
    return {name: value for name, value in whole.items() if value is not ...}


def tokens_of(**settings: Any) -> Tokens:
    """Return the tokens of these settings."""
    return Tokens(Settings(**settings))


def signed(key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **changed: Any) -> str:
    """Return a token."""
    headers = None if kid is None else {"kid": kid}
    return jwt.encode(claims(**changed), key, algorithm, headers=headers)


def unsigned(header: dict[str, Any], payload: Any = None, signature: bytes = b"") -> str:
    """Return a token with any header and signature."""
    parts = [json.dumps(part).encode() for part in (header, claims() if payload is None else payload)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature))


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    """Provide a JWKS document with a key of each type, and with entries that must not be used."""
    path = tmp_path / "jwks.json"
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # refused
    entries = [
        jwk(RSA, kid="rsa"),
        jwk(EC, kid="ec", use="sig", alg="ES256"),
        jwk(small, kid="small"),
        jwk(RSA, kid="encrypts", use="enc"),
        jwk(RSA, kid="other", alg="RS512"),
        jwk(ec.generate_private_key(ec.SECP384R1()), kid="p384"),
        {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode()},
        json.loads(RSAAlgorithm.to_jwk(RSA)) | {"kid": "private"},
        {"kty": "RSA", "kid": "broken"},
        "no key",
    ]
    path.write_text(json.dumps({"keys": entries}))
    return path


@pytest.fixture
def tokens(jwks: Path) -> Tokens:
    """Provide tokens of all algorithms."""
    return tokens_of(jwt_secret=SECRET, jwt_jwks=str(jwks))


async def refusal(tokens: Tokens, token: str) -> str:
    """Verify a token that must be refused, and return the message."""
    with pytest.raises(UnauthenticatedError) as refused:
        await tokens.claims(token)
    return refused.value.message


async def test_tokens_of_each_algorithm_are_accepted(tokens: Tokens) -> None:
    for token in (signed(), signed(RSA, "RS256", "rsa"), signed(EC, "ES256", "ec"), signed(EC, "ES256")):
        read = await tokens.claims(token)
        assert (read.project, set(read.scopes), read.user) == (PROJECT, {"READ"}, None)
        assert 60 <= read.expires_at - time.time() <= 71


async def test_a_token_cannot_choose_its_algorithm_or_key(tokens: Tokens) -> None:
    pem = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # PyJWT refuses to sign with a public key, so this signs as an attacker would.
    confused = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256")
    head = unsigned({"alg": "HS256", "kid": "rsa"}).rpartition(".")[0]
    signature = base64.urlsafe_b64encode(confused.sign(head.encode(), pem)).decode().rstrip("=")
    for token in (
        f"{head}.{signature}",
        unsigned({"alg": "none"}),
        unsigned({"alg": "None", "kid": "rsa"}),
        unsigned({"typ": "JWT"}),
        unsigned({"alg": ["RS256"], "kid": "rsa"}),
        signed(SECRET, "HS512"),
        signed(SECRET, "HS256", kid="oct") + "A",
        signed(RSA, "RS512", "other"),
        signed(RSA, "PS256", "rsa"),
        signed(EC, "ES256", "rsa"),
        signed(RSA, "RS256", "encrypts"),
        signed(RSA, "RS256", "private"),
        signed(RSA, "RS256", "unknown"),
        signed(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", "rsa"),
        unsigned({"alg": "RS256", "kid": "rsa"}, signature=b"\0" * 256),
        unsigned({"alg": "RS256", "jwk": jwk(EC), "jku": "https://localhost/", "kid": "rsa"}),
        unsigned({"alg": "HS256", "crit": ["exp"], "exp": 1}),
        "a.b.c",
        "..",
        "é.é.é",
        base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.",
        base64.urlsafe_b64encode(b'{"alg":' + b"[" * 3000).decode() + ".e30.",
    ):
        assert "is not signed with a key that this server knows" in await refusal(tokens, token)


async def test_a_token_of_an_algorithm_without_a_key_is_refused(jwks: Path) -> None:
    only_secret, only_keys = tokens_of(jwt_secret=SECRET), tokens_of(jwt_jwks=str(jwks))
    assert "is not signed" in await refusal(only_secret, signed(RSA, "RS256", "rsa"))
    assert "is not signed" in await refusal(only_keys, signed())


async def test_times_are_checked_with_leeway(tokens: Tokens) -> None:
    now = time.time()
    assert await tokens.claims(signed(exp=now - 5))
    assert await tokens.claims(signed(nbf=now + 5, iat=now + 5))
    assert await tokens.claims(signed(iat=now - 10**6))
    assert "has expired" in await refusal(tokens, signed(exp=now - 30))
    assert "not valid yet" in await refusal(tokens, signed(nbf=now + 60))
    assert "not valid yet" in await refusal(tokens, signed(iat=now + 60))
    assert "no claim exp" in await refusal(tokens, signed(exp=...))
    unreadable: list[Any] = ["soon", None, [], 1e400]
    for bad in unreadable:
        assert await refusal(tokens, unsigned_with_secret(exp=bad))


def unsigned_with_secret(**changed: Any) -> str:
    """Return a token with claims that PyJWT would refuse to write."""
    return jwt.api_jws.PyJWS().encode(json.dumps(claims(**changed)).encode(), SECRET, "HS256")


async def test_issuer_and_audience_are_required_if_they_are_set() -> None:
    tokens = tokens_of(jwt_secret=SECRET, jwt_issuer="https://id", jwt_audience="agentdata")
    assert await tokens.claims(signed(iss="https://id", aud=["x", "agentdata"]))
    for missing in ("iss", "aud"):
        whole: dict[str, Any] = {"iss": "https://id", "aud": "agentdata", missing: ...}
        assert f"no claim {missing}" in await refusal(tokens, signed(**whole))
    for wrong in ({"iss": "https://id2"}, {"aud": "other"}):
        token = signed(**{"iss": "https://id", "aud": "agentdata"} | wrong)
        assert "another audience" in await refusal(tokens, token)
    # A token for another service must not be accepted because nobody set its audience.
    assert "another audience" in await refusal(tokens_of(jwt_secret=SECRET), signed(aud="other"))


async def test_a_token_names_its_user_or_its_scopes(tokens: Tokens) -> None:
    read = await tokens.claims(signed(agentdata_user="u-1", agentdata_scopes=...))
    assert (read.user, set(read.scopes)) == ("u-1", {"READ"})
    assert (await tokens.claims(signed(agentdata_scopes="READ WRITE"))).scopes == {"READ", "WRITE"}
    for scopes in (..., [], "", "nothing", ["READ", "OTHER"], ["READ", 1], {"READ": 1}, None, 7):
        assert "claim agentdata_scopes must list" in await refusal(tokens, signed(agentdata_scopes=scopes))
    for user in ("", None, 7, ["u-1"], False):
        message = await refusal(tokens, signed(agentdata_user=user))
        assert "claim agentdata_user must be" in message
    for scopes in (["WRITE"], ["READ", "ADMIN"]):
        message = await refusal(tokens, signed(agentdata_user="u-1", agentdata_scopes=scopes))
        assert "which can only read" in message
    for project in (..., "", None, 7, [PROJECT]):
        assert "claim agentdata_project must be" in await refusal(tokens, signed(agentdata_project=project))


async def test_claims_may_have_other_names() -> None:
    names = {"jwt_project_claim": "p", "jwt_scopes_claim": "scope", "jwt_user_claim": "sub"}
    tokens = tokens_of(jwt_secret=SECRET, **names)
    read = await tokens.claims(signed(p="shop", sub="u-1", scope="READ", agentdata_user="other"))
    assert (read.project, read.user) == ("shop", "u-1")


async def test_a_long_token_is_refused_unread(tokens: Tokens) -> None:
    assert "is longer than" in await refusal(tokens, signed(more="x" * LONGEST_TOKEN))


@pytest.mark.parametrize(
    "document", ["", "[]", "{}", '{"keys": []}', '{"keys": {}}', '{"keys": [{"kty": "oct"}]}']
)
def test_a_file_without_usable_keys_is_refused_at_start(tmp_path: Path, document: str) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(SetupError, match=r"AGENTDATA_JWT_JWKS: .*No such file"):
        KeySet(str(path))
    path.write_text(document)
    with pytest.raises(SetupError, match=r"AGENTDATA_JWT_JWKS: .* it (is|has) no"):
        KeySet(str(path))


def test_keys_come_from_files_and_https_only() -> None:
    for url in ("http://localhost/keys", "file:///etc/passwd", "ftp://localhost/keys"):
        with pytest.raises(SetupError, match="begins with https://"):
            KeySet(url)


class Issuer:
    """An https server with a JWKS document, which counts how often it is read."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.reads = 0
        self.url = ""


@contextmanager
def issuer(folder: Path) -> Iterator[Issuer]:
    """Serve a JWKS document by https, with a certificate that is written to `folder`."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(EC.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(EC, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(EC.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    state = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            state.reads += 1
            body = json.dumps({"keys": state.keys}).encode()
            self.send_response(state.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = HTTPServer(("localhost", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"https://localhost:{server.server_port}/keys"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_keys_of_a_url_are_read_at_start_and_again_for_an_unknown_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with issuer(tmp_path) as served:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        tokens = tokens_of(jwt_jwks=served.url)
        old, new = signed(EC, "ES256", "old"), signed(RSA, "RS256", "new")
        served.keys = [jwk(EC, kid="old")]
        await tokens.start()
        await asyncio.gather(*[tokens.claims(old) for _ in range(5)])
        assert served.reads == 1
        served.keys = [jwk(RSA, kid="new")]
        # The keys were read a moment ago, so a made-up key id does not cause another reading.
        assert "is not signed" in await refusal(tokens, new)
        assert served.reads == 1
        monkeypatch.setattr("agentdata.tokens._PAUSE_S", 0)
        await asyncio.gather(*[tokens.claims(new) for _ in range(5)])
        assert served.reads == 2
        assert "is not signed" in await refusal(tokens, old)


async def test_while_a_url_does_not_answer_the_keys_of_before_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with issuer(tmp_path) as served:
        # The certificate is not trusted yet.
        tokens = tokens_of(jwt_jwks=served.url)
        token = signed(EC, "ES256", "ec")
        with pytest.raises(OverloadedError, match="cannot be read at the moment"):
            await tokens.claims(token)
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        monkeypatch.setattr("agentdata.tokens._PAUSE_S", 0)
        served.status = 302
        with pytest.raises(OverloadedError, match="cannot be read at the moment"):
            await tokens.claims(token)
        served.status, served.keys = 200, [jwk(EC, kid="ec")]
        assert await tokens.claims(token)
        served.keys = []
        assert "is not signed" in await refusal(tokens, signed(EC, "ES256", "other"))
        assert await tokens.claims(token)
        assert "it has no public key" in caplog.text


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Provide a client of a server that accepts tokens."""
    app = create_app(Settings(jwt_secret=SecretStr(SECRET)), database_url)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


async def ask(client: httpx.AsyncClient, token: str, query: str) -> tuple[int, Any]:
    """Send an operation, and return the status and the content of the answer."""
    answer = await client.post(
        "/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"}
    )
    return answer.status_code, answer.json()


async def wait_for_refusal(client: httpx.AsyncClient, token: str) -> str:
    """Wait until a token is refused, for at most five seconds, and return the message."""
    async with asyncio.timeout(5):
        while True:
            status, content = await ask(client, token, "{ project { id } }")
            if status == 401:
                return str(content["errors"][0]["message"])
            await asyncio.sleep(0.01)


async def test_a_token_opens_its_project_by_id_and_by_slug(client: httpx.AsyncClient, api: Api) -> None:
    slug = (await api.ask("{ project { slug } }"))["project"]["slug"]
    for project in (str(api.project_id), slug):
        status, content = await ask(client, signed(agentdata_project=project), "{ project { id } }")
        assert (status, content) == (200, {"data": {"project": {"id": str(api.project_id)}}})
    status, content = await ask(client, signed(agentdata_project=slug + "x"), "{ project { id } }")
    assert status == 401
    assert content["errors"][0]["message"] == "the token names a project that does not exist"


async def test_a_token_has_its_scopes(client: httpx.AsyncClient, api: Api) -> None:
    create, project = 'mutation { createAgent(input: {name: "a"}) { name } }', str(api.project_id)
    _, content = await ask(client, signed(agentdata_project=project), create)
    assert content["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    token = signed(agentdata_project=project, agentdata_scopes=["WRITE"])
    assert (await ask(client, token, create))[1] == {"data": {"createAgent": {"name": "a"}}}


async def test_a_token_of_a_user_shows_and_changes_nothing_of_others(
    client: httpx.AsyncClient, api: Api, database: Database
) -> None:
    people = [await factories.user(api, external_id=f"p-{number}") for number in range(2)]
    for person in people:
        await factories.session(api, user_id=person.id, title=person.external_id)
    await factories.session(api, title="nobody's")
    query = "{ users { nodes { externalId } } sessions { totalCount nodes { title user { externalId } } } }"
    for person in people:
        for name in (str(person.id), person.external_id):
            token = signed(agentdata_project=str(api.project_id), agentdata_user=name, agentdata_scopes=...)
            (status, content) = await ask(client, token, query)
            own = {"externalId": person.external_id}
            assert status == 200
            assert content["data"]["users"]["nodes"] == [own]
            nodes = [{"title": person.external_id, "user": own}]
            assert content["data"]["sessions"] == {"totalCount": 1, "nodes": nodes}
            write = f'mutation {{ updateUser(id: "{person.id}", input: {{name: "x"}}) {{ id }} }}'
            _, content = await ask(client, token, write)
            assert content["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    token = signed(agentdata_project=str(api.project_id), agentdata_user="p-9", agentdata_scopes=...)
    status, content = await ask(client, token, query)
    assert status == 401
    assert "names a user that does not exist" in content["errors"][0]["message"]
    await run(database, api.project_id, users.delete, {"id_": people[0].id})
    token = signed(agentdata_project=str(api.project_id), agentdata_user="p-0", agentdata_scopes=...)
    assert "names a user that does not exist" in await wait_for_refusal(client, token)


async def test_a_user_of_another_project_is_not_found(
    client: httpx.AsyncClient, api: Api, database: Database, owner: AsyncEngine
) -> None:
    other = await make_api(database, owner)
    person = await factories.user(other, external_id="p-1")
    for name in (str(person.id), "p-1"):
        token = signed(agentdata_project=str(api.project_id), agentdata_user=name, agentdata_scopes=...)
        assert (await ask(client, token, "{ project { id } }"))[0] == 401


async def test_an_answer_for_a_token_ends_with_the_token(client: httpx.AsyncClient, api: Api) -> None:
    token = signed(agentdata_project=str(api.project_id), exp=int(time.time()) - 8)
    assert (await ask(client, token, "{ project { id } }"))[0] == 200
    assert "has expired" in await wait_for_refusal(client, token)


async def test_a_token_makes_no_key_that_outlives_it(client: httpx.AsyncClient, api: Api) -> None:
    make = 'mutation {{ createApiKey(input: {{name: "x", scopes: [READ]{more}}}) {{ secret }} }}'
    for exp in (int(time.time()) + 60, 10**18):
        token = signed(agentdata_project=str(api.project_id), agentdata_scopes=["ADMIN", "READ"], exp=exp)
        for at in (None, "9999-12-31T23:59:59Z"):
            more = f', expiresAt: "{at}"' if at else ""
            _, content = await ask(client, token, make.format(more=more))
            allowed = at is not None and exp == 10**18
            assert allowed or content["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    token = signed(agentdata_project=str(api.project_id), agentdata_scopes=["ADMIN", "READ"])
    _, content = await ask(client, token, make.format(more=f', expiresAt: "{soon}"'))
    assert content["data"]["createApiKey"]["secret"]


async def test_without_settings_a_token_is_no_key(database_url: str) -> None:
    app = create_app(Settings(), database_url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        status, content = await ask(client, signed(), "{ project { id } }")
    assert status == 401
    assert "does not look like an API key" in content["errors"][0]["message"]


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="jwt_secret"):
        tokens_of(jwt_secret="short")


def test_the_form_of_an_id_is_the_usual_one() -> None:
    id_ = UUID(int=7)
    assert id_of(str(id_)) == id_of(str(id_).upper()) == id_
    assert [id_of(text) for text in (id_.hex, f"{{{id_}}}", f"urn:uuid:{id_}", "x", "")] == [None] * 5
