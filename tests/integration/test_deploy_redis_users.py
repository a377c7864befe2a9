"""The Redis users of deploy/: ours can do all that our code does and nothing else, others next to nothing."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.redis_process import RedisProcess

ROOT = Path(__file__).parent.parent.parent
PROBE = "{econeura}:probe"
CALLED_IN_LUA = re.compile(r"redis\.p?call\(\s*['\"](\w+)['\"]")
RECEIVERS = re.compile(r"(^|_)(redis|client|pipe|pipeline)$")
COMMAND_OF_METHOD = {
    "delete": "del", "scan_iter": "scan", "hscan_iter": "hscan", "sscan_iter": "sscan", "zscan_iter": "zscan",
    "memory_usage": "memory usage", "script_load": "script load",
}  # fmt: skip
WRITTEN_OUT = re.compile(r"\"([A-Z]{3,})\"")
NOT_A_COMMAND = {"aclose", "close", "register_script", "pubsub", "pipeline", "execute", "execute_command"}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "secrets"
    subprocess.run([str(ROOT / "deploy" / "make-secrets.sh"), str(directory)], check=True, timeout=30)
    return directory


@pytest.fixture(scope="module")
def server(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    users = str(secrets / "redis" / "users.acl")
    server = RedisProcess(tmp_path_factory.mktemp("redis"), arguments=("--aclfile", users)).start()
    yield server
    server.stop()


@pytest.fixture
def ours(server: RedisProcess, secrets: Path) -> Iterator[redis.Redis]:
    """Signed in with the very address that our processes are given."""
    url = (secrets / "app" / "redis_url").read_text().replace("@redis:6379/", f"@127.0.0.1:{server.port}/")
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        yield client


@pytest.fixture
def operator(server: RedisProcess, secrets: Path) -> Iterator[redis.Redis]:
    password = (secrets / "operator" / "redis_password").read_text()
    with redis.Redis(port=server.port, username="operator", password=password, socket_timeout=5) as client:
        yield client


def sources(suffix: str) -> list[str]:
    folders = (ROOT / name for name in ("workers", "actors", "api"))
    return [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob(f"*{suffix}")]


def commands_of_our_code() -> set[str]:
    """Lower-case names: called in Lua, written out for `execute_command`, or methods of a client."""
    found = {name.lower() for text in sources(".lua") for name in CALLED_IN_LUA.findall(text)}
    for path in (ROOT / "workers" / "broker").glob("*.py"):
        written = {name.lower() for name in WRITTEN_OUT.findall(path.read_text(encoding="utf-8"))}
        found |= {name for name in written if hasattr(redis.Redis, name)}
    for text in sources(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                receiver = node.func.value
                name = getattr(receiver, "attr", "") or getattr(receiver, "id", "")
                method = node.func.attr
                if RECEIVERS.search(name) and hasattr(redis.Redis, method) and method not in NOT_A_COMMAND:
                    found.add(COMMAND_OF_METHOD.get(method, method))
    return found


# Found at collection, for the reason given in tests/test_imports.py.
NEEDED = sorted(commands_of_our_code())


def is_permitted(client: redis.Redis, *words: str) -> bool:
    """Whether the server would run it; that it fails for its arguments is no matter."""
    try:
        client.execute_command(*words)  # type: ignore[no-untyped-call]
    except redis.exceptions.NoPermissionError:
        return False
    except redis.ResponseError:
        return True
    return True


def test_ours_may_do_what_our_code_does(ours: redis.Redis, operator: redis.Redis) -> None:
    assert {"evalsha", "hset", "zadd", "blpop", "xadd", "publish"} <= set(NEEDED)
    described = operator.execute_command("COMMAND INFO", *(name.split()[0] for name in NEEDED))  # type: ignore[no-untyped-call]
    for name, about in zip(NEEDED, described, strict=True):
        words = name.split()
        # Filled up to the fewest arguments with a key of ours, whatever they mean.
        fewest = max(abs(about[1]), len(words) + 1) if len(words) > 1 else abs(about[1])
        words += [PROBE] * (fewest - len(words))
        assert is_permitted(ours, *words), f"users.acl.template does not permit {name}"


def test_ours_may_load_scripts_and_use_transactions_and_channels(ours: redis.Redis) -> None:
    assert ours.register_script("return redis.call('TIME')")(keys=[PROBE])
    with ours.pipeline(transaction=True) as pipe:
        pipe.set(PROBE, "1")
        pipe.get(PROBE)
        assert pipe.execute() == [True, b"1"]
    with ours.pubsub() as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(f"{PROBE}:ended")
        assert channel.get_message(timeout=5)


@pytest.mark.parametrize(
    "words",
    [
        ("GET", "somebody-elses"),
        ("SUBSCRIBE", "somebody-elses"),
        ("KEYS", "*"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "requirepass"),
        ("ACL", "LIST"),
        ("SCRIPT", "FLUSH"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("SHUTDOWN",),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_ours_may_not(ours: redis.Redis, words: tuple[str, ...]) -> None:
    assert not is_permitted(ours, *words)


def test_keda_sees_lengths_and_nothing_else(server: RedisProcess, secrets: Path) -> None:
    name, password = ((secrets / "keda" / part).read_text() for part in ("username", "password"))
    with redis.Redis(port=server.port, username=name, password=password, socket_timeout=5) as keda:
        ready = "{econeura}:q:ready:urgent"
        assert keda.eval("return redis.call('llen', KEYS[1])", 1, ready) == 0
        assert keda.type(ready) == b"none"
        assert not is_permitted(keda, "LRANGE", ready, "0", "1")
        assert not is_permitted(keda, "LLEN", "{econeura}:journal:org")


def test_strangers_may_only_ask_whether_it_is_there(server: RedisProcess) -> None:
    with redis.Redis(port=server.port, socket_timeout=5) as stranger:
        assert stranger.ping()
        assert not is_permitted(stranger, "GET", PROBE)
        assert not is_permitted(stranger, "INFO")


def test_secrets_are_never_made_over_others(secrets: Path) -> None:
    before = (secrets / "app" / "redis_url").read_text()
    again = subprocess.run([str(ROOT / "deploy" / "make-secrets.sh"), str(secrets)], check=False, timeout=30)
    assert again.returncode == 1
    assert (secrets / "app" / "redis_url").read_text() == before
    assert (secrets.stat().st_mode & 0o777) == 0o700
