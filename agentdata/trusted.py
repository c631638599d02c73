"""The manifest of trusted documents, which is read and validated when the server starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from agentdata.engine.requests.documents import InvalidRequestError
from agentdata.protocol import document_id
from agentdata.setup_error import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agentdata.engine.requests.executor import Executor
    from agentdata.settings import Settings

_APOLLO = "apollo-persisted-query-manifest"

_FORMATS = (
    "it must be the output of Apollo's generate-persisted-query-manifest, or an object"
    ' {"identifier": "document"} as Relay and GraphQL Code Generator write it'
)


def trusted_documents(settings: Settings, executor: Executor) -> dict[str, str]:
    """Return the documents of the manifest in the settings by identifier; none if there is no manifest.

    Raises:
        SetupError: The manifest cannot be read, has another form, or a document of it is not valid.

    """
    file = settings.trusted_documents_file
    if file is None:
        if settings.trusted_documents == "only":
            raise SetupError(
                "AGENTDATA_TRUSTED_DOCUMENTS=only needs a manifest;"
                " name it in AGENTDATA_TRUSTED_DOCUMENTS_FILE"
            )
        return {}
    documents: dict[str, str] = {}
    for id_, text in _entries(_read(file), file):
        if documents.setdefault(id_, text) != text:
            raise _wrong(file, f"two documents have the identifier {id_}; give each its own")
        _validate(executor, file, id_, text)
    return documents


def _read(file: Path) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except OSError as error:
        raise _wrong(file, f"it cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise _wrong(file, f"it is not valid JSON ({error.msg} in line {error.lineno})") from None


def _entries(manifest: Any, file: Path) -> Iterator[tuple[str, str]]:
    """Yield the identifiers and documents of a manifest."""
    if not isinstance(manifest, dict):
        raise _wrong(file, _FORMATS)
    if manifest.get("format") == _APOLLO:
        operations = manifest.get("operations")
        if manifest.get("version") != 1 or not isinstance(operations, list):
            raise _wrong(file, "only version 1 of Apollo's manifests, with a list of operations, is known")
        found = [each if isinstance(each, dict) else {} for each in operations]
        pairs = [(each.get("id"), each.get("body")) for each in found]
    else:
        pairs = list(manifest.items())
    for id_, text in pairs:
        if not (isinstance(id_, str) and id_ and isinstance(text, str)):
            raise _wrong(file, _FORMATS)
        yield document_id(id_), text


def _validate(executor: Executor, file: Path, id_: str, text: str) -> None:
    try:
        executor.validate(text)
    except InvalidRequestError as refusal:
        error = refusal.errors[0]
        place = (
            f" (line {error.locations[0].line}, column {error.locations[0].column})"
            if error.locations
            else ""
        )
        raise _wrong(file, f"the document {id_} is not valid: {error.message}{place}") from None


def _wrong(file: Path, problem: str) -> SetupError:
    return SetupError(f"AGENTDATA_TRUSTED_DOCUMENTS_FILE {file}: {problem}")
