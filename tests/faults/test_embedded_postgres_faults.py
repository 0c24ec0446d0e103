"""The embedded PostgreSQL when any of its processes is killed, and when its files are not as it left them."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from adapters.embedded.pg_lock import take_lock
from adapters.embedded.postgres import attach, stop
from core.errors import StoreUnavailable

REPOSITORY = Path(__file__).parents[2]
# Attach, write a row, say so, and stay.
PROGRAM = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background inherits it as ignored
from pathlib import Path
import asyncpg
from adapters.embedded.postgres import attach

async def write(url, word):
    connection = await asyncpg.connect(url)
    await connection.execute("create table if not exists kept (word text)")
    await connection.execute("insert into kept values ($1)", word)
    print("written", flush=True)
    await asyncio.sleep(600)

server = attach(Path(sys.argv[1]))
asyncio.run(write(server.owner_url("postgres"), sys.argv[2]))
"""


def ask(server, sql):
    async def run():
        connection = await asyncpg.connect(server.owner_url("postgres"))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def words(server):
    return ask(server, "select array_agg(word) from kept")


def program(home, word):
    command = [sys.executable, "-c", PROGRAM, str(home), word]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout.readline() == "written\n"
    return process


def kill(process):
    process.kill()
    process.communicate()


def postmaster_of(home):
    return psutil.Process(int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0]))


def processes_of(home, part=""):
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(home) in line and part in line:
            found.append(process)
    return found


def wait_until(fact, seconds=30):
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def wait_until_stopped(home):
    wait_until(lambda: not processes_of(home))


@pytest.fixture(scope="module")
def made_home():
    place = Path(tempfile.mkdtemp(prefix="fd-"))
    place.chmod(0o755)  # root's tmp_path is closed to PostgreSQL's account
    half_made = place / "postgres" / "data.new-killed"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    half_made.with_name("password.new").write_text("half")
    with attach(place):
        pass
    yield place
    wait_until_stopped(place)
    shutil.rmtree(place)


@pytest.fixture
def home(made_home):
    yield made_home
    wait_until_stopped(made_home)


@pytest.fixture
def innocent(home):
    """A process of the account that runs PostgreSQL, which has nothing to do with it."""
    owner = (home / "postgres" / "data").stat()
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "600"], **identity) as process:
        yield process
        assert process.poll() is None
        process.kill()


def test_a_killed_program_loses_nothing_and_its_server_stops(home):
    kill(program(home, "program"))
    wait_until_stopped(home)
    with attach(home) as server:
        assert "program" in words(server)


def test_a_killed_program_leaves_the_server_to_the_others(home):
    with attach(home) as server:
        started = ask(server, "select pg_postmaster_start_time()")
        kill(program(home, "guest"))
        time.sleep(1.5)  # longer than a keeper waits
        assert ask(server, "select pg_postmaster_start_time()") == started


def test_a_killed_postmaster_is_started_again_by_the_next(home):
    victim = program(home, "postmaster")
    postmaster_of(home).kill()
    with attach(home) as server:
        assert "postmaster" in words(server)
    kill(victim)


def test_a_killed_keeper_is_replaced_when_somebody_leaves(home):
    server = attach(home)
    (keeper,) = processes_of(home, "embedded.keeper")
    keeper.kill()
    wait_until(lambda: not keeper.is_running())
    server.leave()
    wait_until_stopped(home)


def test_after_a_killed_keeper_and_program_the_next_puts_things_right(home):
    victim = program(home, "both")
    (keeper,) = processes_of(home, "embedded.keeper")
    keeper.kill()
    kill(victim)
    with attach(home) as server:
        assert "both" in words(server)
        wait_until(lambda: len(processes_of(home, "embedded.keeper")) == 1)
    wait_until_stopped(home)


def test_all_killed_at_once_heal(home):
    victim = program(home, "all")
    for process in [*processes_of(home, "embedded.keeper"), postmaster_of(home), victim]:
        process.kill()
    victim.communicate()
    with attach(home) as server:
        assert "all" in words(server)


def test_a_process_that_got_the_postmasters_number_is_neither_believed_nor_killed(home, innocent):
    record = home / "postgres" / "data" / "postmaster.pid"
    with attach(home) as server:
        lines = record.read_text().splitlines()
        postmaster_of(home).kill()
    wait_until_stopped(home)
    record.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
    with attach(home) as server:
        assert ask(server, "select 1") == 1
        postmaster_of(home).kill()
        record.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")


def test_who_comes_while_the_server_stops_gets_a_new_one(home):
    root = home / "postgres"
    with attach(home) as server:
        started = ask(server, "select pg_postmaster_start_time()")
    users = take_lock(root / "users.lock", timeout_s=5)  # what the keeper does
    answers = []

    def arrive():
        with attach(home) as server:
            answers.append(ask(server, "select pg_postmaster_start_time()"))

    arrival = threading.Thread(target=arrive)
    arrival.start()
    stop(root)
    assert not answers
    os.close(users)
    arrival.join()
    assert answers[0] > started


def test_a_frozen_postmaster_is_waited_for(home):
    with attach(home):
        postmaster = postmaster_of(home)
        postmaster.suspend()
        threading.Timer(1.0, postmaster.resume).start()
        with attach(home) as second:
            assert ask(second, "select 1") == 1


def test_what_a_killed_initdb_left_is_no_database(home):
    with attach(home) as server:
        assert ask(server, "select 1") == 1
    assert not list((home / "postgres").glob("*.new*"))


def test_a_server_that_gives_up_is_reported_with_its_last_word(home):
    control = home / "postgres" / "data" / "global" / "pg_control"
    whole = control.read_bytes()
    control.write_bytes(whole[:100])
    try:
        with pytest.raises(StoreUnavailable, match=r"could not read file \".*pg_control\".* see its log in"):
            attach(home)
    finally:
        control.write_bytes(whole)


def test_a_home_that_cannot_be_written_is_reported(home):
    (home / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"cannot be started.*DATABASE_URL"):
        attach(home / "file")


def test_a_log_of_last_week_is_dropped(home):
    old = home / "postgres" / "log" / "postgresql-old.log"
    old.write_text("old")
    os.utime(old, (0, 0))
    with attach(home):
        assert not old.exists()
        assert [path.suffix for path in old.parent.iterdir()] == [".log"]


def test_ctrl_c_ends_the_program_and_not_the_server(home):
    with attach(home) as server:
        started = ask(server, "select pg_postmaster_start_time()")
        guest = program(home, "interrupted")
        guest.send_signal(signal.SIGINT)
        guest.communicate()
        assert ask(server, "select pg_postmaster_start_time()") == started
