"""Where exports go: a folder, or a bucket through fsspec (the `export` extra)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Protocol

from workers.errors import SettingsError, TemporaryError
from workers.settings import Settings


class Destination(Protocol):
    """Names are relative, with slashes. Its methods block: call them in threads."""

    def put(self, local: Path, name: str) -> None:
        """Publish a finished file under a name, in place of any former one; it appears whole."""

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""


def destination_of(settings: Settings) -> Destination:
    """By the form of EXPORT_URL; raises SettingsError where it needs an extra that is not installed."""
    url = settings.export_url
    if url is None:
        return Folder(settings.data_dir / "exports")
    if "://" not in url or url.startswith("file://"):
        return Folder(Path(url.removeprefix("file://")))
    return Bucket(url)


class Folder:
    """A folder of a file system."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, local: Path, name: str) -> None:
        target = self._path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # On its own file system first: only a rename makes it appear whole.
        fresh = target.with_name(f".{target.name}.part")
        shutil.copyfile(local, fresh)
        with fresh.open("ab") as file:
            os.fsync(file.fileno())
        fresh.replace(target)

    def has(self, name: str) -> bool:
        return (self._path / name).exists()


class Bucket:
    """Object storage such as s3:// or abfs://; an object appears when its upload is complete."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec

            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(url.rstrip("/"))
        except (ImportError, ValueError) as missing:
            raise SettingsError(
                f"ECONEURA_EXPORT_URL: {url.partition('://')[0]}:// is not usable: {missing}; "
                "install econeura-workers[export]"
            ) from None

    def put(self, local: Path, name: str) -> None:
        self._try(self._files.put_file, str(local), f"{self._root}/{name}")

    def has(self, name: str) -> bool:
        return bool(self._try(self._files.exists, f"{self._root}/{name}"))

    def _try(self, call: Any, *arguments: str) -> Any:
        try:
            return call(*arguments)
        except OSError as failed:
            raise TemporaryError(f"export not stored: {type(failed).__name__}: {failed}") from failed
