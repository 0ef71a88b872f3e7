"""Run commands in a bare root of Debian, with the packages that README names and no more.

    python -m tests.fresh.bare_root trixie FOLDER 'make repro' 'make test'

as root, with debootstrap and a network. FOLDER/trixie is made if it is not there: a minimal root,
into which HEAD of this repository is cloned. This machine's certificates and pip's configuration go
with it. Prints the time of each command and how it ended; what it printed is in FOLDER/trixie.log.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = ("make repro", "make test")
CLONE = Path("root/agent-tuning")
# With the limits of memory, of version 2 and of version 1, which a stage looks at.
LIMITS = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory")
SYSTEM = ("/proc", "/sys", *LIMITS, "/dev", "/dev/pts", "/dev/shm")
COPIED = (
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "/etc/ssl/certs/ca-certificates.crt",
)
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


def read_install_line() -> str:
    """README's line that installs the system packages."""
    found = re.search(r"apt-get install [a-z0-9 .+-]+", (ROOT / "README.md").read_text())
    assert found, "README.md: expected a line with apt-get install"
    return found.group().replace("install", "install -y -q")


def find_package_folders() -> list[Path]:
    """Folders of this machine that pip's configuration names: indexes, and folders of wheels."""
    listed = subprocess.run(
        ["pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    words = re.split(r"[\s'=]+", listed.replace("file://", ""))
    folders = {Path(word) for word in words if word.startswith("/") and Path(word).is_dir()}
    # an index has its files beside the folder `simple`
    return sorted({path.parent if path.name == "simple" else path for path in folders})


def make_root(target: Path, suite: str) -> None:
    subprocess.run(["debootstrap", "--variant=minbase", suite, str(target)], check=True)


def copy_settings(target: Path) -> None:
    """What lets programs in the root reach the network and the package index of this machine."""
    for path in filter(Path.exists, map(Path, COPIED)):
        place = target / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():  # it would be followed out of the root
            place.unlink()
        if path.is_dir():
            shutil.copytree(path, place, dirs_exist_ok=True)
        else:
            shutil.copy(path, place)


@contextlib.contextmanager
def mounted(target: Path) -> Iterator[None]:
    """Bind what a running system has, and unmount all of it: the root can be deleted then."""
    places: list[Path] = []
    try:
        for source in (*filter(Path.exists, map(Path, SYSTEM)), *find_package_folders()):
            place = target / source.relative_to("/")
            place.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", str(source), str(place)], check=True)
            places.append(place)
        yield
    finally:
        for place in reversed(places):
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def run(target: Path, command: str, folder: str = "/") -> int:
    """Run a command of the shell in the root; what it prints goes to the log."""
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    inner = ["chroot", str(target), "/bin/sh", "-c", f"cd {folder} && {command}"]
    start = time.monotonic()
    with open(target.with_suffix(".log"), "ab") as log:
        log.write(f"$ {command}\n".encode())
        log.flush()
        status = subprocess.run(inner, env=ENVIRONMENT | pip, stdout=log, stderr=log).returncode
    print(f"{time.monotonic() - start:6.0f} s  status {status}  {command}", flush=True)
    return status


def main(suite: str, folder: Path, commands: tuple[str, ...]) -> int:
    target = folder.absolute() / suite
    if not (target / "etc/os-release").exists():
        make_root(target, suite)
    copy_settings(target)
    if not (target / CLONE).exists():
        clone = ["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(target / CLONE)]
        subprocess.run(clone, check=True)
    with mounted(target):
        install = run(target, f"apt-get update -q && {read_install_line()}")
        copy_settings(target)  # a package has written its own certificates
        return install or max(run(target, command, f"/{CLONE}") for command in commands)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), tuple(sys.argv[3:]) or COMMANDS))
