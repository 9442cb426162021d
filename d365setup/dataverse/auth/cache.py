"""Where the tokens of a person are kept between runs: encrypted where the system allows, else for their eyes only."""

import hashlib
import os
from pathlib import Path
from typing import Any


def opened(folder: Path, *names: str) -> tuple[Any, str]:
    """A token cache for these names (environment, tenant, client), and how it is kept, in words.

    Raises OSError where the folder cannot be made.
    """
    import msal  # type: ignore[import-untyped]  # noqa: PLC0415  # slow to load; it ships no types

    try:
        import msal_extensions  # type: ignore[import-untyped]  # noqa: PLC0415  # as msal
    except ImportError:
        return msal.TokenCache(), "in memory only (msal-extensions is not installed)"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / (hashlib.sha256("|".join(names).encode()).hexdigest()[:24] + ".tokens")
    persistence, told = _persistence(msal_extensions, path)
    return msal_extensions.PersistedTokenCache(persistence), told


def default_folder(variables: dict[str, str] | None = None) -> Path:
    """The user's own cache folder; never the working folder, which pipelines keep as an artifact."""
    known = os.environ if variables is None else variables
    base = known.get("LOCALAPPDATA") or known.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "d365setup"


def _persistence(package: Any, path: Path) -> tuple[Any, str]:
    try:
        return package.build_encrypted_persistence(str(path)), "encrypted"
    except Exception:  # noqa: BLE001  # no keyring, no desktop, no library: each system fails in its own way
        _private(path)
        return package.FilePersistence(str(path)), "in a file only its owner can read"


def _private(path: Path) -> None:
    """Make the file ours alone before anything is in it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
