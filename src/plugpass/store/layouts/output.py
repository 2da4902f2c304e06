"""Writing files so that nobody ever sees half of one, and private ones so that nobody else sees them at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from plugpass.errors import ConfigurationError

_PUBLIC: Final = 0o644
_PRIVATE: Final = 0o600
PRIVATE_SUFFIXES: Final = (".key", ".p12", "password.txt")  #: what of a layout only the owner may read


def write_file(path: Path, content: bytes) -> None:
    """Write a public file in one step, with its folder. Raises ConfigurationError."""
    _write(path, content, _PUBLIC)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only the owner can read, in one step. Raises ConfigurationError."""
    _write(path, content, _PRIVATE)


def write_tree(folder: Path, files: Mapping[PurePosixPath, bytes]) -> None:
    """Make `folder` with these files, all or none. Raises ConfigurationError where it exists and is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} exists and is not empty: choose another folder, nothing was written")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, content in files.items():
                _write(scratch / name, content, _mode(name))
            scratch.chmod(0o755)
            scratch.rename(folder)  # onto nothing, or onto an empty folder
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}; nothing was written") from None


def _mode(name: PurePosixPath) -> int:
    return _PRIVATE if name.name.lower().endswith(PRIVATE_SUFFIXES) else _PUBLIC


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {path}: {error.strerror}; check the folder and its permissions"
        ) from None
