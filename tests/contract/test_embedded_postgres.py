"""The embedded PostgreSQL, as its callers meet it: real processes share a real server."""

import asyncio
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from adapters.embedded.pg_files import Account, make_private, open_root, socket_folder
from adapters.embedded.postgres import attach
from core.errors import Refused, StoreUnavailable

REPOSITORY = Path(__file__).parents[2]
STARTED = "select pg_postmaster_start_time()::text"
# Attach, print the answer to a query, and stay until the standard input closes.
CHILD = """
import asyncio, sys
from pathlib import Path
import asyncpg
from adapters.embedded.postgres import attach

async def ask(url, sql):
    connection = await asyncpg.connect(url)
    print(await connection.fetchval(sql), flush=True)
    await connection.close()

with attach(Path(sys.argv[1])) as server:
    asyncio.run(ask(server.owner_url("postgres"), sys.argv[2]))
    sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another account")


def ask(url, *statements):
    async def run():
        connection = await asyncpg.connect(url)
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def child(home, sql=STARTED, python=sys.executable, **options):
    command = [python, "-c", CHILD, str(home), sql]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, **options
    )


def processes_of(home):
    return [
        process for process in psutil.process_iter(["cmdline"]) if str(home) in " ".join(process.info["cmdline"] or ())
    ]


def wait_until(fact, seconds=30):
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def make_place():
    """A folder PostgreSQL's account may enter, unlike root's tmp_path; short, as a socket goes below it."""
    place = Path(tempfile.mkdtemp(prefix="fd-"))
    place.chmod(0o755)
    return place


def clear(place):
    wait_until(lambda: not processes_of(place))
    shutil.rmtree(place)


@pytest.fixture
def place():
    folder = make_place()
    yield folder
    clear(folder)


@pytest.fixture(scope="module")
def home():
    folder = make_place()
    yield folder / "Büro 7 – 受付"
    clear(folder)


@pytest.fixture(scope="module")
def server(home):
    with attach(home) as attachment:
        yield attachment


def test_a_fresh_home_gets_a_server_with_vectors(server):
    assert ask(server.owner_url("postgres"), "select 1") == 1
    distance = "select '[1,2]'::vector <-> '[1,4]'::vector"
    assert ask(server.owner_url("postgres"), "create extension vector", distance) == 2.0


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("current_setting('data_checksums')", "on"),
        ("current_setting('fsync')", "on"),
        ("current_setting('synchronous_commit')", "on"),
        ("current_setting('jit')", "off"),
        ("current_setting('timezone')", "UTC"),
        ("current_setting('listen_addresses')", ""),
        ("current_setting('server_encoding')", "UTF8"),
        ("lower('ÄÖÜ')", "äöü"),
        ("(array['a','B','ä','b'] @> array['ä'] and 'B' < 'a' and 'b' < 'ä')::text", "true"),
    ],
)
def test_it_is_set_up_to_keep_data_and_to_behave_the_same_everywhere(server, expression, value):
    assert ask(server.owner_url("postgres"), f"select {expression}") == value


def test_only_who_knows_the_password_gets_in(home, server):
    assert stat.S_IMODE((home / "postgres" / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(server.host).stat().st_mode) == 0o700
    assert server.password not in repr(server)
    wrong = server.owner_url("postgres").replace(server.password, "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(wrong, "select 1")


def test_every_process_meets_the_same_server(home, server):
    with child(home) as other:
        assert other.stdout.readline().strip() == ask(server.owner_url("postgres"), STARTED)
        other.stdin.close()
    with attach(home) as second:
        assert (second.host, second.port, second.password) == (server.host, server.port, server.password)
    assert ask(server.owner_url("postgres"), "select 1") == 1


def test_four_race_for_a_fresh_home_and_the_last_one_out_stops_the_server(place):
    home = place / ("too deep for a socket " * 5)
    racers = [child(home) for _ in range(4)]
    answers = {racer.stdout.readline().strip() for racer in racers}
    for racer in racers:
        racer.communicate()
    assert len(answers) == 1
    assert "" not in answers
    sockets = socket_folder(home / "postgres")
    assert not sockets.is_relative_to(home)
    wait_until(lambda: not list(sockets.iterdir()))
    with attach(home) as again:
        assert again.host == str(sockets)
        assert ask(again.owner_url("postgres"), STARTED) not in answers
        again.leave()
        again.leave()
    wait_until(lambda: not processes_of(home))
    sockets.rmdir()


@pytest.mark.parametrize("taken_by", ["a link", "an open folder", "a file"])
def test_a_socket_folder_somebody_else_made_is_refused(place, taken_by):
    home = place / ("deep" * 20)
    squatted = socket_folder(home / "postgres")
    if taken_by == "a link":
        squatted.symlink_to(place)
    elif taken_by == "a file":
        squatted.touch()
    else:
        squatted.mkdir()
        squatted.chmod(0o777)
    try:
        with pytest.raises((Refused, StoreUnavailable), match=squatted.name):
            attach(home)
    finally:
        squatted.rmdir() if squatted.is_dir() and not squatted.is_symlink() else squatted.unlink()


@as_root
def test_a_socket_folder_of_another_account_is_refused(place):
    folder = place / "socket"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(Refused, match="private folder"):
        make_private(folder, Account(54321, 54321))


def test_data_of_another_version_is_refused_and_left_alone(place):
    data = place / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(Refused, match=r"PostgreSQL 16 .* PostgreSQL 18"):
        attach(place)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_platform_without_the_programs_is_told_to_bring_a_server(place):
    packages = place / "packages"
    packages.mkdir()
    for module in (REPOSITORY / "adapters", REPOSITORY / "core", Path(psutil.__file__).parent):
        (packages / module.name).symlink_to(module)
    script = f"import sys; sys.path.append({str(packages)!r})\n" + CHILD.replace("import asyncpg\n", "")
    command = [sys.executable, "-I", "-S", "-c", script, str(place / "home"), STARTED]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1].startswith("core.errors.StoreUnavailable: There is no embedded PostgreSQL")
    assert "DATABASE_URL" in result.stderr


@as_root
def test_root_is_told_which_folder_is_closed_and_nothing_is_opened(place):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Refused, match=rf"may not enter {closed}: set FRONTDESK_HOME"):
        attach(closed / "home")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_root_lends_its_account_the_data_and_nothing_else(home, server):
    root = home / "postgres"
    owners = {path.name: path.stat().st_uid for path in root.iterdir()}
    lent = {name for name, uid in owners.items() if uid != 0}
    assert lent == {"data", "log", "socket"}
    (programs,) = root.glob("bin-*")
    assert not [path for path in (programs, *programs.rglob("*")) if path.stat().st_uid or path.stat().st_mode & 0o022]


@as_root
def test_a_home_of_another_account_is_refused(place):
    (place / "postgres").mkdir()
    os.chown(place / "postgres", 12345, 12345)
    with pytest.raises(Refused, match="belongs to another account"):
        open_root(place)


@as_root
def test_an_ordinary_account_has_its_own_server_beside_roots(server, place):
    nobody = pwd.getpwnam("nobody")
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    python = reachable_python(identity)
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    path = os.pathsep.join([str(REPOSITORY), str(Path(asyncpg.__file__).parents[1])])
    with child(place, python=python, env={"PYTHONPATH": path}, **identity) as other:
        started = other.stdout.readline().strip()
        assert started
        assert started != ask(server.owner_url("postgres"), STARTED)
        assert not list((place / "postgres").glob("bin-*"))
        other.stdin.close()


def reachable_python(identity):
    """An interpreter of this version that the account may run; ours may be below a folder that only root enters."""
    for python in (sys.executable, shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")):
        try:
            subprocess.run([str(python), "-c", ""], check=True, **identity)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("there is no Python of this version that the account nobody may run")
