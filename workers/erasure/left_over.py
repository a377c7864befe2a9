"""Whether Redis names a correspondent anywhere after all: a look that knows nothing of what is kept where."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection

from workers.erasure.correspondent import Correspondent
from workers.erasure.ledger_records import pages
from workers.store import Store

_PAGE = 500


async def still_named(store: Store, person: Correspondent, *, leave_out: Collection[str]) -> dict[str, int]:
    """Kind of key -> how many keys name the address. Parked contents are compressed, and not looked into."""
    found: Counter[str] = Counter()
    async for keys in pages(store, ""):
        async with store.redis.pipeline(transaction=False) as reads:
            for key in keys:
                reads.type(key)
            types = await reads.execute()
        for key, kind in zip(keys, types, strict=True):
            if key not in leave_out and await _names(store, person, key, kind):
                found[key.partition("}:")[2].partition(":")[0]] += 1
    return dict(found)


async def _names(store: Store, person: Correspondent, key: str, kind: bytes) -> bool:
    if person.is_named_in(key.encode()):
        return True
    read = _READERS.get(kind)
    if read is not None:
        async for part in read(store, key):
            if person.is_named_in(part):
                return True
    return False


async def _hash(store: Store, key: str) -> AsyncIterator[bytes]:
    async for name, value in store.redis.hscan_iter(key, count=_PAGE):
        yield name
        yield value


async def _stream(store: Store, key: str) -> AsyncIterator[bytes]:
    start = "-"
    while entries := await store.redis.xrange(key, start, "+", count=_PAGE):
        for _, fields in entries:
            for value in fields.values():
                yield value
        start = f"({entries[-1][0].decode()}"


async def _list(store: Store, key: str) -> AsyncIterator[bytes]:
    start = 0
    while parts := await store.redis.lrange(key, start, start + _PAGE - 1):
        for part in parts:
            yield part
        start += _PAGE


async def _string(store: Store, key: str) -> AsyncIterator[bytes]:
    yield await store.redis.get(key) or b""


async def _set(store: Store, key: str) -> AsyncIterator[bytes]:
    async for member in store.redis.sscan_iter(key, count=_PAGE):
        yield member


async def _sorted_set(store: Store, key: str) -> AsyncIterator[bytes]:
    async for member, _ in store.redis.zscan_iter(key, count=_PAGE):
        yield member


_READERS: dict[bytes, Callable[[Store, str], AsyncIterator[bytes]]] = {
    b"hash": _hash,
    b"stream": _stream,
    b"list": _list,
    b"string": _string,
    b"set": _set,
    b"zset": _sorted_set,
}
