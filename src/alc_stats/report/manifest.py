"""The manifest: what went in, what ran, what came out, with a hash for every byte that matters.

It holds no absolute path, no user and no host name, so it can be published as it is.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from alc_stats.files import without_machine
from alc_stats.study.result import StudyResult

_DISTRIBUTION = "alc_stats"


def build_manifest(
    results: Sequence[StudyResult],
    *,
    outputs: Mapping[str, bytes],
    project: Path | None = None,
) -> str:
    """The manifest as JSON text.

    Parameters
    ----------
    results : sequence of StudyResult
    outputs : mapping of relative path to bytes
        Every file written.
    project : Path, optional
        The folder with the repository and `requirements.lock`; without it the commit is that of
        the current folder, if it has one, and the lock is empty.
    """
    manifest = {
        "software": software(),
        "commit": commit(project),
        "lock_sha256": _lock_hash(project),
        "seeds": {r.id: r.seed for r in results if r.seed is not None},
        "studies": [_study(result) for result in results],
        "outputs": {name: sha256(content) for name, content in sorted(outputs.items())},
    }
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"


def software() -> dict[str, object]:
    """Versions of this package, Python, the platform and every declared dependency."""
    return {
        "alc_stats": version(_DISTRIBUTION),
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}".lower(),
        "packages": {name: version(name) for name in _dependencies()},
    }


def commit(project: Path | None = None) -> dict[str, object]:
    """The commit of a folder's repository and whether files differ from it; empty without one.

    The folder is the current one unless `project` names another.
    """
    head = _git(project, "rev-parse", "--short=7", "HEAD")
    if not head:
        return {"id": "", "clean": False}
    return {"id": head, "clean": _git(project, "status", "--porcelain") == ""}


def version(distribution: str) -> str:
    """The installed version; empty where there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def sha256(content: bytes) -> str:
    """The hash of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _study(result: StudyResult) -> dict[str, object]:
    return {
        "id": result.id,
        "simulated": result.simulated,
        "status": result.status,
        "why_not": without_machine(result.why_not),
        "sources": [
            {
                "id": s.id,
                "file": without_machine(s.file),
                "sha256": s.sha256,
                "licence": s.licence,
                "url": s.url,
            }
            for s in result.sources
        ],
        "rows": [
            {"step": row.step, "read": row.read, "dropped": row.dropped, "kept": row.kept}
            for row in result.ledger
        ],
        "fits": {id_: fit.certificate.status for id_, fit in result.fits.items()},
        "checks": {check.id: check.matches for check in result.checks},
        "warnings": [without_machine(warning) for warning in result.warnings],
        "seconds": {step: round(seconds, 3) for step, seconds in result.seconds.items()},
    }


def _dependencies() -> Iterable[str]:
    """Names of the declared dependencies, extras left out."""
    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ()
    names = (re.match(r"[\w.-]+", line) for line in required if "extra ==" not in line)
    return sorted(name[0] for name in names if name)


def _lock_hash(project: Path | None) -> str:
    lock = project / "requirements.lock" if project else None
    return sha256(lock.read_bytes()) if lock and lock.is_file() else ""


def _git(project: Path | None, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(project or "."), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
