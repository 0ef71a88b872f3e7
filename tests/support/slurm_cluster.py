"""A real Slurm for tests: one controller and four nodes with eight pretended A100s each.

All of it lives in one folder and listens on loopback. Every node has its own process, mount and
host name space, so that `crash` takes all that runs on it, like a power cut. Needs Debian's
slurm-wlm and munge, and root. `python -m tests.support.slurm_cluster COMMAND...` runs a command
on such a cluster.
"""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NODES = ("node1", "node2", "node3", "node4")
GPUS = 8
TIMEOUT_S = 30.0  # more than anything here takes; a wait without an end would hide a fault
UNSHARE = ("unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc")
PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "unshare", "setpriv")

# SlurmdTimeout, KillWait and cred_expire are short: a site has 300, 30 and 120 seconds.
# A node may claim what the machine has not, but a GPU must be a character device.
CONF = """\
ClusterName=lab
FirstJobId={first}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
PlugStackConfig={folder}/plugstack.conf
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SlurmdParameters=config_overrides
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
EnforcePartLimits=ALL
JobRequeue=1
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=86400
SlurmdTimeout=10
MessageTimeout=5
KillWait=5
CompleteWait=0
ReturnToService=2
NodeName=node[1-4] NodeHostname=node[1-4] NodeAddr=127.0.0.1 Port=[{node_ports}] \
CPUs=128 Sockets=2 CoresPerSocket=64 ThreadsPerCore=1 RealMemory=1000000 Gres=gpu:a100:8 \
Feature=a100-80g State=UNKNOWN
PartitionName=DEFAULT State=UP DefMemPerCPU=7500 MaxTime=2-00:00:00 DefaultTime=00:10:00
PartitionName=a100 Nodes=node[1-4] Default=YES
"""
# The first process of a node outlives its slurmd, as a real node does.
NODE_SCRIPT = """\
hostname "$1"
mount --bind "$2/hosts.$1" /etc/hosts
while :; do slurmd -D -N "$1" & wait $!; done
"""


def why_unavailable() -> str | None:
    """Why no cluster can start here; None if one can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=search_path())]
    if missing:
        install = "apt-get install -y --no-install-recommends slurm-wlm munge"
        return f"no {', '.join(missing)} here: {install}"
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        return "nodes need name spaces of their own: root, or a container with CAP_SYS_ADMIN"
    return None


def search_path() -> str:
    return os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


def wait_for(what: str, condition: Callable[[], bool], seconds: float = TIMEOUT_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)


class SlurmCluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.daemons: list[subprocess.Popen[bytes]] = []
        self._write_conf()

    def environment(self) -> dict[str, str]:
        prefixes = ("SLURM_", "SBATCH_")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)}
        return inherited | {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": search_path()}

    def ask(self, *command: str) -> str:
        """Output and errors of a Slurm command."""
        process = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, check=False, timeout=20
        )
        return process.stdout + process.stderr

    def state(self, job: str) -> str:
        fields = self.ask("scontrol", "-o", "show", "job", job).split()
        return dict(field.split("=", 1) for field in fields if "=" in field).get("JobState", "")

    def start(self) -> None:
        munge = self.folder / "munge"
        subprocess.run(
            ["mungekey", "-c", "-k", str(munge / "key")], env=self.environment(), check=True
        )
        paths = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
        self._start_daemon(
            "munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *paths
        )
        wait_for("munged", (munge / "socket").exists)
        self._start_daemon("slurmctld", "-D", "-c")
        for node in NODES:
            self.boot(node)
        self.wait_for_nodes()

    def wait_for_nodes(self) -> None:
        up = {"idle", "mixed", "allocated"}

        def all_up() -> bool:
            states = self.ask("sinfo", "-hN", "-o%T").split()
            return len(states) == len(NODES) and set(states) <= up

        wait_for("four nodes", all_up)

    def boot(self, node: str) -> None:
        first_process = ["bash", "-c", NODE_SCRIPT, "node", node, str(self.folder)]
        self.nodes[node] = self._start([*UNSHARE, "--kill-child", "--", *first_process])

    def crash(self, node: str) -> None:
        """A power cut: nothing on the node gets a signal it could handle."""
        process = self.nodes.pop(node)
        process.kill()
        process.wait(timeout=TIMEOUT_S)

    def stop(self) -> None:
        self.ask("scancel", "--user=root")
        for process in [*self.nodes.values(), *reversed(self.daemons)]:
            process.kill()
            process.wait(timeout=TIMEOUT_S)

    def _start_daemon(self, *command: str) -> None:
        self.daemons.append(self._start(list(command)))

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with open(self.folder / "daemons.log", "ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],  # no cluster outlives its test run
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _write_conf(self) -> None:
        for name in ("munge", "state", "dev", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o755)
        for gpu in range(GPUS):
            (self.folder / f"dev/nvidia{gpu}").symlink_to("/dev/null")
        for node in NODES:
            # Its own name first: torchrun tells nodes apart by the name of 127.0.0.1.
            names = [f"127.0.0.1 {node} localhost", *(f"127.0.0.1 {other}" for other in NODES)]
            hosts = "\n".join(names) + "\n" + Path("/etc/hosts").read_text()
            (self.folder / f"hosts.{node}").write_text(hosts)
        port = _find_free_ports(len(NODES) + 1)
        conf = CONF.format(
            folder=self.folder,
            host=socket.gethostname(),
            port=port,
            node_ports=f"{port + 1}-{port + len(NODES)}",
            first=random.randrange(1000, 100_000),  # else logs of an earlier cluster look like ours
        )
        (self.folder / "slurm.conf").write_text(conf)
        gres = (
            f"AutoDetect=off\nNodeName=node[1-4] Name=gpu Type=a100 File={self.folder}/dev/nvidia"
        )
        (self.folder / "gres.conf").write_text(f"{gres}[0-{GPUS - 1}]\n")
        (self.folder / "plugstack.conf").touch()


def _find_free_ports(count: int) -> int:
    """The first of `count` free ports in a row."""
    while True:
        first = random.randrange(20_000, 30_000)
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first


@contextmanager
def running() -> Iterator[SlurmCluster]:
    with tempfile.TemporaryDirectory(prefix="slurm-lab-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        cluster = SlurmCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


if __name__ == "__main__":
    if problem := why_unavailable():
        sys.exit(f"error: {problem}")
    with running() as cluster:
        sys.exit(subprocess.run(sys.argv[1:], env=cluster.environment(), check=False).returncode)
