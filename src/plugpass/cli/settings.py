"""Configuration: `plugpass.toml` and environment variables, checked and typed before anything starts.

Precedence: command-line flag, environment (`PLUGPASS_LAB__OPERATOR=...`), file, default.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from plugpass.errors import ConfigurationError
from plugpass.lab.settings import LabSettings

DEFAULT_FILE = Path("plugpass.toml")


class LogSettings(BaseModel):
    """The section `[log]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["debug", "info", "warning", "error"] = "error"
    json_lines: bool = False


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        env_prefix="PLUGPASS_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    lab: LabSettings = LabSettings()
    log: LogSettings = LogSettings()


def load_settings(file: Path | None = None) -> Settings:
    """The settings of `file`, or of ./plugpass.toml where it exists, or the defaults.

    Raises ConfigurationError naming the setting that is wrong.
    """
    if file is None and not DEFAULT_FILE.exists():
        return _checked({}, "the environment")
    path = file or DEFAULT_FILE
    try:
        with path.open("rb") as stream:
            values = tomllib.load(stream)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
    unknown = values.keys() - Settings.model_fields.keys()
    if unknown:
        known = ", ".join(sorted(Settings.model_fields))
        raise ConfigurationError(f"{path}: unknown section [{sorted(unknown)[0]}]; known ones are {known}")
    return _checked(values, str(path))


def _checked(values: dict[str, Any], source: str) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{source}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
