"""The instructions of this machine's processor that the embedded PostgreSQL needs."""

import platform
import subprocess
from pathlib import Path


def runs_vectors() -> bool:
    """Return whether the extension for vectors of the embedded PostgreSQL runs on this processor.

    On x86-64 it is compiled for AVX2, and ends the server at its first use without.
    """
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return True
    try:
        if platform.system() == "Linux":
            return has_avx2(Path("/proc/cpuinfo").read_text())
        if platform.system() == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "hw.optional.avx2_0"]
            found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # of the system
            return found.stdout.strip() == "1"
    except (OSError, subprocess.CalledProcessError):
        pass
    return False


def has_avx2(cpuinfo: str) -> bool:
    """Return whether all processors in Linux's description of them have AVX2."""
    flags = [line for line in cpuinfo.splitlines() if line.startswith("flags")]
    return bool(flags) and all("avx2" in line.split() for line in flags)
