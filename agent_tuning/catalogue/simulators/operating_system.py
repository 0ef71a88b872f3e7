"""A computer: folders, files with a size and permissions, and the users' processes."""

from typing import ClassVar

from agent_tuning.catalogue.simulators.world import Refused, draw, pick
from agent_tuning.records import Json

TREE = {
    "/home/ada": ("beach.jpg", "thesis.pdf", "plan.txt"),
    "/home/bob": ("holiday.mp4", "taxes.ods", "recipe.md"),
    "/var/log": ("system.log", "mail.log", "boot.log"),
    "/srv/media": ("concert.mkv", "song.flac", "cover.png"),
    "/opt/game": ("world.pak", "sound.pak", "start.sh"),
    "/data/maps": ("europe.osm", "asia.osm", "legend.csv"),
    "/data/genome": ("reads.fq", "index.bin", "notes.txt"),
    "/usr/models": ("speech.gguf", "vision.gguf", "card.json"),
    "/backup": (),
    "/archive": (),
    "/mnt/usb": (),
    "/mnt/nas": (),
    "/srv/share": (),
    "/data/keep": (),
    "/home/eve": (),
    "/var/spool": (),
}
USERS = ("ada", "bob", "eve", "finn", "gina", "hugo", "iris", "jack", "kate", "liam")
PROGRAMS = ("python", "firefox", "ffmpeg", "rsync", "java", "node", "blender", "postgres", "gcc")
FIRST_PID, STEP = 1010, 10
MEASURES = ("cpu", "memory")
MODES = ("644", "664", "600", "755")


class OperatingSystem:
    """The seed draws sizes, permissions and what runs; the root folder's path is empty."""

    TOOLS: ClassVar[tuple[str, ...]] = (
        "make_directory",
        "move_file",
        "change_permissions",
        "find_large_files",
        "list_processes",
        "kill_process",
    )

    def __init__(self, seed: str) -> None:
        self.folders = set(TREE) | {path.rpartition("/")[0] for path in TREE}
        self.megabytes: dict[str, int] = {}
        self.modes: dict[str, str] = {}
        for folder, names in TREE.items():
            for number, name in enumerate(names):
                path = f"{folder}/{name}"
                # The first file of a folder is large, whatever the seed.
                self.megabytes[path] = 1 + draw(seed, path, below=300) + (0 if number else 400)
                self.modes[path] = pick(MODES, "mode", seed, path)
        self.processes = {
            FIRST_PID + STEP * number: _process(seed, number) for number in range(3 * len(USERS))
        }

    def make_directory(self, path: str) -> dict[str, Json]:
        path = path.rstrip("/")
        parent = path.rpartition("/")[0]
        if path in self.folders or path in self.megabytes:
            raise Refused(f"{path} exists already")
        self._folder(parent)
        self.folders.add(path)
        return {"path": path, "created": True}

    def move_file(self, path: str, folder: str) -> dict[str, Json]:
        target = f"{self._folder(folder)}/{self._file(path).rpartition('/')[2]}"
        if target in self.megabytes:
            raise Refused(f"{target} exists already")
        self.megabytes[target] = self.megabytes.pop(path)
        self.modes[target] = self.modes.pop(path)
        return {"path": target, "megabytes": self.megabytes[target]}

    def change_permissions(self, path: str, mode: str) -> dict[str, Json]:
        if len(mode) != 3 or not set(mode) <= set("01234567"):
            raise Refused(f"mode {mode}: expected three digits from 0 to 7")
        was, self.modes[path] = self.modes[self._file(path)], mode
        return {"path": path, "mode": mode, "was": was}

    def find_large_files(self, folder: str, min_mb: int = 100) -> dict[str, Json]:
        """Files anywhere below a folder, the largest first."""
        inside = f"{self._folder(folder)}/"
        sizes = {p: mb for p, mb in self.megabytes.items() if p.startswith(inside) and mb >= min_mb}
        largest = max(sizes, key=lambda path: sizes[path], default="")
        return {"count": len(sizes), "largest": largest, "megabytes": sizes.get(largest, 0)}

    def list_processes(self, user: str, sort_by: str = "cpu") -> dict[str, Json]:
        """A user's processes, and the one that takes most."""
        if sort_by not in MEASURES:
            raise Refused(f"cannot sort by {sort_by}")
        own = {pid: process for pid, process in self.processes.items() if process["user"] == user}
        if not own:
            raise Refused(f"no processes of {user}")
        top = max(own, key=lambda pid: int(own[pid][sort_by]))
        return {
            "count": len(own),
            "pid": top,
            "name": own[top]["name"],
            "cpu": own[top]["cpu"],
            "memory": own[top]["memory"],
        }

    def kill_process(self, pid: int) -> dict[str, Json]:
        if pid not in self.processes:
            raise Refused(f"no process {pid}")
        ended = self.processes.pop(pid)
        return {"pid": pid, "name": ended["name"], "user": ended["user"]}

    def state(self) -> dict[str, Json]:
        return {
            "folders": sorted(self.folders),
            "files": {
                path: [self.megabytes[path], self.modes[path]] for path in sorted(self.modes)
            },
            "processes": sorted(self.processes),
        }

    def _folder(self, path: str) -> str:
        """The path of a folder that is there."""
        path = path.rstrip("/")
        if path not in self.folders:
            raise Refused(f"no folder {path}")
        return path

    def _file(self, path: str) -> str:
        if path not in self.megabytes:
            raise Refused(f"no file {path}")
        return path


def _process(seed: str, number: int) -> dict[str, Json]:
    """Shares of the processor in percent, memory in megabytes."""
    return {
        "user": USERS[number % len(USERS)],
        "name": pick(PROGRAMS, "program", seed, number),
        "cpu": 1 + draw("cpu", seed, number, below=60),
        "memory": 10 + draw("memory", seed, number, below=4000),
    }
