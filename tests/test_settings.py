"""Settings are read from the environment, and errors name the invalid ones."""

from pathlib import Path

import pytest

from agentdata.settings import Settings, load_settings
from agentdata.setup_error import SetupError


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in Settings.model_fields.items():
        monkeypatch.delenv(
            field.alias or str(field.validation_alias or f"agentdata_{name}").upper(), raising=False
        )


def test_settings_have_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8000, Path(".agentdata"))
    assert settings.database_url is None


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTDATA_PORT", "9000")
    monkeypatch.setenv("AGENTDATA_DATA_DIR", "elsewhere")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/data")
    settings = load_settings()
    assert (settings.port, settings.data_dir) == (9000, Path("elsewhere"))
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://db/data"


@pytest.mark.parametrize(("text", "value"), [("on", True), ("off", False)])
def test_switches_are_on_or_off(monkeypatch: pytest.MonkeyPatch, text: str, *, value: bool) -> None:
    switches = ["get", "graphiql", "introspection", "suggestions", "persisted_documents"]
    for name in switches:
        monkeypatch.setenv(f"AGENTDATA_{name.upper()}", text)
    settings = load_settings()
    assert [getattr(settings, name) for name in switches] == [value] * 5


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGENTDATA_PORT", "AGENTDATA_DATA_DIR", "DATABASE_URL", "AGENTDATA_API_KEY"):
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings.model_construct()


def test_an_error_names_every_invalid_variable_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTDATA_PORT", "70000")
    monkeypatch.setenv("AGENTDATA_LOG_LEVEL", "secret")
    with pytest.raises(SetupError, match=r"AGENTDATA_PORT: .*65535.*; AGENTDATA_LOG_LEVEL: ") as error:
        load_settings()
    assert "secret" not in str(error.value)


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:hidden@db/data")
    monkeypatch.setenv("AGENTDATA_API_KEY", "hidden")
    monkeypatch.setenv("AGENTDATA_JWT_SECRET", "hidden" * 8)
    assert "hidden" not in repr(load_settings())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_described_in_a_sentence(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert description.endswith(".")
