"""File systems of a test's own, in a namespace that ends with the process, where the user may mount."""

import shutil
import subprocess
from pathlib import Path

OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")

_REMOUNT = 'mount --bind . . && mount -o remount,bind,ro "$PWD" && cd "$PWD" && exec "$@"'
READ_ONLY = ("sh", "-c", _REMOUNT, "sh")
"""Before a command: it then sees its directory and cannot write in it, whoever it is."""


def mounts_are_allowed(directory: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    trial = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", str(directory)]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0
