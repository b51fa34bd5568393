"""A source is the declared bytes or an error that says how to get them."""

from __future__ import annotations

import hashlib
import http.server
import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alc_stats.data import sources
from alc_stats.data.sources import Source, locate
from alc_stats.errors import DeclarationError, SourceError

CONTENT = b"a,b\r\n1,2\r\n"
HASH = hashlib.sha256(CONTENT).hexdigest()
OTHER_HASH = hashlib.sha256(b"other").hexdigest()
ISSUES = Source("issues", "metr/issues.csv", HASH, "none stated", "becker2025")


class _Site(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, half of it, something else, or nothing."""

    def do_GET(self) -> None:
        bodies = {"/whole": CONTENT, "/half": CONTENT[:4], "/other": b"other"}
        self.send_response(200 if self.path in bodies else 404)
        self.send_header(
            "Content-Length",
            str(len(CONTENT if self.path == "/half" else bodies.get(self.path, b""))),
        )
        self.end_headers()
        self.wfile.write(bodies.get(self.path, b""))

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALC_STATS_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def _put(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / ISSUES.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_folder_is_looked_in_first_then_the_cache(tmp_path: Path) -> None:
    folder, cache = tmp_path / "folder", tmp_path / "cache"
    cached = _put(cache)
    assert locate(ISSUES, folder=folder, cache=cache) == cached
    mine = _put(folder)
    assert locate(ISSUES, folder=folder, cache=cache) == mine


def test_the_environment_names_the_folder_and_the_argument_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALC_STATS_DATA", str(tmp_path / "environment"))
    by_environment, by_argument = _put(tmp_path / "environment"), _put(tmp_path / "argument")
    assert locate(ISSUES, cache=tmp_path / "cache") == by_environment
    assert locate(ISSUES, folder=tmp_path / "argument", cache=tmp_path / "cache") == by_argument


def test_a_wrong_file_in_the_folder_is_refused_not_replaced(tmp_path: Path, site: str) -> None:
    source = replace(ISSUES, url=f"{site}/whole")
    path = _put(tmp_path, b"other")
    with pytest.raises(SourceError) as caught:
        locate(source, folder=tmp_path, cache=tmp_path / "cache")
    assert str(caught.value) == (
        f"{path}: not the declared file of source 'issues'. Found: sha256 {OTHER_HASH}. "
        f"Allowed: sha256 {HASH}. Put the declared file there from {site}/whole (bytes unchanged: "
        "no conversion of line ends or encoding), or remove it; if the declaration is out of date, "
        "correct its sha256."
    )
    assert path.read_bytes() == b"other"
    assert not (tmp_path / "cache").exists()


def test_a_download_lands_in_the_cache_and_is_made_once(tmp_path: Path, site: str) -> None:
    path = locate(replace(ISSUES, url=f"{site}/whole"), cache=tmp_path)
    assert path == tmp_path / ISSUES.file
    assert path.read_bytes() == CONTENT
    assert _files(tmp_path) == [path]
    assert locate(replace(ISSUES, url=f"{site}/gone"), cache=tmp_path) == path


def test_a_spoilt_file_in_the_cache_is_downloaded_again(tmp_path: Path, site: str) -> None:
    path = _put(tmp_path, CONTENT[:4])
    assert locate(replace(ISSUES, url=f"{site}/whole"), cache=tmp_path).read_bytes() == CONTENT
    assert _files(tmp_path) == [path]


def test_a_changed_file_behind_the_address_is_refused_and_not_kept(
    tmp_path: Path, site: str
) -> None:
    with pytest.raises(SourceError) as caught:
        locate(replace(ISSUES, url=f"{site}/other"), cache=tmp_path)
    assert str(caught.value).startswith(
        f"{site}/other: the download of source 'issues' is not the declared file. "
        f"Found: sha256 {OTHER_HASH}. Allowed: sha256 {HASH}. "
    )
    assert _files(tmp_path) == []


@pytest.mark.parametrize(
    ("page", "reason"), [("gone", "HTTP 404"), ("half", "ChunkedEncodingError")]
)
def test_a_failed_download_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, site: str, page: str, reason: str
) -> None:
    source, cached = replace(ISSUES, url=f"{site}/{page}"), tmp_path / "cache" / ISSUES.file
    with pytest.raises(SourceError) as caught:
        locate(source, folder=tmp_path / "mistyped", cache=tmp_path / "cache")
    assert str(caught.value) == (
        "metr/issues.csv: source 'issues' cannot be had. "
        f"Found: not in {tmp_path}/mistyped (no such folder); not at {cached}; "
        f"the download failed ({reason}). Download {site}/{page}, save it "
        f"unchanged as {tmp_path}/mistyped/metr/issues.csv. Licence: none stated. Cite: becker2025."
    )
    assert _files(tmp_path) == []


def test_offline_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/whole"
        with pytest.raises(SourceError, match=r"the download failed \(ConnectionError\)"):
            locate(replace(ISSUES, url=url), cache=tmp_path)


def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TIMEOUT", (0.2, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/whole"
        with pytest.raises(SourceError, match=r"the download failed \(ReadTimeout\)"):
            locate(replace(ISSUES, url=url), cache=tmp_path)


def test_the_network_is_not_touched_when_it_may_not_be(tmp_path: Path, site: str) -> None:
    with pytest.raises(SourceError, match="downloading was not allowed"):
        locate(replace(ISSUES, url=f"{site}/whole"), cache=tmp_path, download=False)


def test_a_source_without_an_address_names_its_origin(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        locate(ISSUES, cache=tmp_path)
    assert str(caught.value) == (
        "metr/issues.csv: source 'issues' cannot be had. "
        "Found: not in a data folder (ALC_STATS_DATA is not set); "
        f"not at {tmp_path}/metr/issues.csv; it has no address to download from. "
        "Get the file from its origin (becker2025), save it unchanged as <folder>/metr/issues.csv "
        "and set ALC_STATS_DATA=<folder>. Licence: none stated. Cite: becker2025."
    )


def test_a_derived_file_says_how_it_is_made(tmp_path: Path) -> None:
    made = "write.csv(nlme::Orthodont, row.names = FALSE) in R"
    with pytest.raises(SourceError) as caught:
        locate(replace(ISSUES, derivation=made), cache=tmp_path)
    assert f"Get the file from its origin (becker2025): {made}, save it unchanged as" in str(
        caught.value
    )


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, site: str) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(SourceError, match="the cache cannot be written"):
        locate(replace(ISSUES, url=f"{site}/whole"), cache=tmp_path / "cache")


def test_an_unreadable_file_is_a_source_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _put(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(
        SourceError, match=f"{path}: cannot read the file. Found: Permission denied"
    ):
        locate(ISSUES, folder=tmp_path)


def test_progress_is_shown_on_a_terminal_only(
    tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = replace(ISSUES, url=f"{site}/whole")
    locate(source, cache=tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    locate(source, cache=tmp_path / "watched")
    assert "100%" in capsys.readouterr().err


def test_a_declaration_is_checked_whole() -> None:
    with pytest.raises(DeclarationError) as caught:
        Source("issues", "../issues.csv", "TO FILL", "none", "x", url="ftp://example.org/x")
    assert str(caught.value) == (
        "source 'issues': sha256 is not a hash. Found: 'TO FILL'. "
        "Allowed: 64 lower-case hexadecimal digits. Compute it with `sha256sum`.\n"
        "source 'issues': file does not lie below the data folder. Found: '../issues.csv'. "
        "Allowed: a relative path with forward slashes.\n"
        "source 'issues': url is not a web address. Found: 'ftp://example.org/x'. "
        "Allowed: https:// or http://."
    )


@pytest.mark.parametrize("file", ["", "/etc/passwd", "a/../../b", "a\\b", "."])
def test_a_path_outside_the_folder_is_refused(file: str) -> None:
    with pytest.raises(DeclarationError, match="below the data folder"):
        replace(ISSUES, file=file)


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if os.name == "posix" and sys.platform != "darwin":
        cached = _put(tmp_path / "alc_stats")
        assert locate(ISSUES) == cached
