"""Declared sources: a file is used if its bytes are the declared ones, wherever it was found."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from alc_stats.errors import ChangedSourceError, DeclarationError, Problem, SourceError

if TYPE_CHECKING:
    import requests

FOLDER_VARIABLE = "ALC_STATS_DATA"
TIMEOUT = (5.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes, before a download counts as failed."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file a study rests on, as `study.toml` declares it.

    Attributes
    ----------
    id : str
        Its name within the study.
    file : str
        Path below the data folder, with forward slashes.
    sha256 : str
        Hash of the file's bytes, 64 lower-case hexadecimal digits.
    licence : str
        Terms of use, as the origin states them.
    citation : str
        Key into the bibliography.
    url : str
        Where the same bytes can be downloaded; empty where they cannot.
    schema : str
        File name of the schema the raw file is checked against; empty for none.
    derivation : str
        How the file is made from its origin, where no address yields its bytes.

    Raises
    ------
    DeclarationError
        If the hash is not one, the path leaves the data folder or the address is not a web address.
    """

    id: str
    file: str
    sha256: str
    licence: str
    citation: str
    url: str = ""
    schema: str = ""
    derivation: str = ""

    def __post_init__(self) -> None:
        problems = [*_hash_problems(self), *_path_problems(self), *_url_problems(self)]
        if problems:
            raise DeclarationError(*problems)


def _hash_problems(source: Source) -> list[Problem]:
    if re.fullmatch("[0-9a-f]{64}", source.sha256):
        return []
    return [
        Problem(
            "sha256 is not a hash",
            where=f"source '{source.id}'",
            found=repr(source.sha256),
            allowed="64 lower-case hexadecimal digits",
            way_out="Compute it with `sha256sum`.",
        )
    ]


def _path_problems(source: Source) -> list[Problem]:
    path = PurePosixPath(source.file)
    if path.name and not path.is_absolute() and ".." not in path.parts and "\\" not in source.file:
        return []
    return [
        Problem(
            "file does not lie below the data folder",
            where=f"source '{source.id}'",
            found=repr(source.file),
            allowed="a relative path with forward slashes",
        )
    ]


def _url_problems(source: Source) -> list[Problem]:
    if not source.url or source.url.startswith(("https://", "http://")):
        return []
    return [
        Problem(
            "url is not a web address",
            where=f"source '{source.id}'",
            found=repr(source.url),
            allowed="https:// or http://",
        )
    ]


def locate(
    source: Source, *, folder: Path | None = None, cache: Path | None = None, download: bool = True
) -> Path:
    """The path of the source's file, whose bytes are the declared ones.

    Looks in `folder`, then in `cache`, then downloads into `cache` if the source has an address.
    A file in `folder` that is not the declared one is refused, never replaced: somebody put it
    there. What lies in `cache` was downloaded by this function and is downloaded again if spoilt.

    Parameters
    ----------
    source : Source
    folder : Path, optional
        By default the folder that the environment variable ALC_STATS_DATA names, if it is set.
    cache : Path, optional
        By default the user's cache folder.
    download : bool
        False never touches the network.

    Raises
    ------
    SourceError
        If the file cannot be had, or is not the declared one; the message says how to get it.
    """
    folder = folder if folder is not None else _declared_folder()
    cache = cache if cache is not None else _user_cache()
    if folder is not None and (folder / source.file).is_file():
        return _declared_bytes(source, folder / source.file)
    cached = cache / source.file
    if cached.is_file() and _sha256(cached) == source.sha256:
        return cached
    if download and source.url:
        return _download(source, cached, folder=folder)
    raise SourceError(
        _missing(source, folder=folder, cached=cached, why_no_download=_why_not(source))
    )


def _declared_folder() -> Path | None:
    name = os.environ.get(FOLDER_VARIABLE, "")
    return Path(name).expanduser() if name else None


def _user_cache() -> Path:
    import pooch

    return Path(pooch.os_cache("alc_stats"))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(
            Problem(
                "cannot read the file",
                where=str(path),
                found=error.strerror or str(error),
                way_out="Make it readable.",
            )
        ) from error


def _declared_bytes(source: Source, path: Path) -> Path:
    found = _sha256(path)
    if found == source.sha256:
        return path
    origin = f" from {source.url}" if source.url else ""
    raise ChangedSourceError(
        Problem(
            f"not the declared file of source '{source.id}'",
            where=str(path),
            found=f"sha256 {found}",
            allowed=f"sha256 {source.sha256}",
            way_out=f"Put the declared file there{origin} (bytes unchanged: no conversion of line "
            "ends or encoding), or remove it; if the declaration is out of date, correct "
            "its sha256.",
        )
    )


def _download(source: Source, target: Path, *, folder: Path | None) -> Path:
    """Download into a folder beside `target`; only the declared bytes move to `target`."""
    import pooch
    import requests

    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as unfinished:
            part = Path(unfinished) / target.name
            fetch(source.url, str(part), None)
            if _sha256(part) != source.sha256:
                raise ChangedSourceError(_changed(source, found=_sha256(part)))
            part.replace(target)
    except requests.RequestException as error:
        why = f"the download failed ({_short(error)})"
        raise SourceError(
            _missing(source, folder=folder, cached=target, why_no_download=why)
        ) from error
    except OSError as error:
        why = f"the cache cannot be written ({error.strerror or error})"
        raise SourceError(
            _missing(source, folder=folder, cached=target, why_no_download=why)
        ) from error
    return target


def _short(error: requests.RequestException) -> str:
    if error.response is None:
        return type(error).__name__
    error.response.close()  # an answer such as 404 was opened as a stream and never read
    return f"HTTP {error.response.status_code}"


def _why_not(source: Source) -> str:
    return "downloading was not allowed" if source.url else "it has no address to download from"


def _changed(source: Source, *, found: str) -> Problem:
    return Problem(
        f"the download of source '{source.id}' is not the declared file",
        where=source.url,
        found=f"sha256 {found}",
        allowed=f"sha256 {source.sha256}",
        way_out="The file behind the address has changed or a proxy altered it; nothing was "
        "kept. Find the declared version, or declare the new one.",
    )


def _missing(source: Source, *, folder: Path | None, cached: Path, why_no_download: str) -> Problem:
    return Problem(
        f"source '{source.id}' cannot be had",
        where=source.file,
        found=f"not in {_place(folder)}; not at {cached}; {why_no_download}",
        way_out=_how_to_get(source, folder=folder),
    )


def _place(folder: Path | None) -> str:
    if folder is None:
        return f"a data folder ({FOLDER_VARIABLE} is not set)"
    return str(folder) if folder.is_dir() else f"{folder} (no such folder)"


def _how_to_get(source: Source, *, folder: Path | None) -> str:
    made = f": {source.derivation}" if source.derivation else ""
    origin = (
        f"Download {source.url}"
        if source.url
        else f"Get the file from its origin ({source.citation}){made}"
    )
    place = (
        folder / source.file
        if folder
        else f"<folder>/{source.file} and set {FOLDER_VARIABLE}=<folder>"
    )
    terms = f"Licence: {source.licence}. Cite: {source.citation}."
    return f"{origin}, save it unchanged as {place}. {terms}"
