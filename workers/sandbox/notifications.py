"""Pushed notifications: handshake, batches, retries, lifecycle events, and the faults asked for (WH26)."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, urlsplit

import aiohttp
import orjson
from yarl import URL

from workers.sandbox.behaviour import Behaviour
from workers.sandbox.calls import GraphProblem
from workers.sandbox.mailbox import Change, Folder, Mailbox
from workers.sandbox.rendering import View, message_json
from workers.sandbox.rich_content import encrypted
from workers.sandbox.subscriptions import Subscription, Subscriptions
from workers.sandbox.tokens import Tokens

HANDSHAKE_S = 10.0
_FIRST_TRY_S = 3.0
_RETRY_S = 10.0
_LIFECYCLE_EVENTS = ("missed", "subscriptionRemoved", "reauthorizationRequired", "expired")
_PARALLEL = 32

# An item and its subscription; the subscription is None for a forged one.
Item = tuple[dict[str, Any], Subscription | None]


class Notifier:
    """Tells subscribers what changed; one queue for each webhook address."""

    def __init__(
        self, behaviour: Behaviour, rng: random.Random, subscriptions: Subscriptions, tokens: Tokens
    ) -> None:
        self._behaviour = behaviour
        self._random = rng
        self._subscriptions = subscriptions
        self._tokens = tokens
        self._queues: dict[str, list[Item]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(_PARALLEL)
        self.counts: Counter[str] = Counter()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def on_change(self, mailbox: Mailbox, folder: Folder, change: Change) -> None:
        """Queue an item for every subscription that watches the folder."""
        for subscription in self._subscriptions.of_mailbox(mailbox):
            if subscription.watches(folder, change) and not subscription.needs_reauthorization:
                self._queue_with_faults(_item(subscription, change), subscription)

    def lifecycle(self, subscription: Subscription, event: str) -> None:
        """Send a lifecycle event; a removed subscription is gone, one to be reauthorized falls silent."""
        if event not in _LIFECYCLE_EVENTS:
            raise ValueError(f"event must be one of {', '.join(_LIFECYCLE_EVENTS)}")
        if event in ("subscriptionRemoved", "expired"):
            self._subscriptions.remove(subscription)
        if event == "reauthorizationRequired":
            subscription.needs_reauthorization = True
        # Of a subscription that simply ends nobody is told.
        if subscription.lifecycle_url and event != "expired":
            item = {**_envelope(subscription), "lifecycleEvent": event}
            self._queue(subscription.lifecycle_url, item, subscription)

    async def validate(self, url: str) -> None:
        """The handshake; GraphProblem 400 unless the endpoint echoes the token as text within 10 s."""
        token = (
            f"Validation: Testing client application reachability for subscription Request-Id: {uuid.uuid4()}"
        )
        # Graph encodes spaces as + and colons as %3a (microsoft-graph-docs#21160).
        encoded = quote_plus(token).replace("%3A", "%3a")
        address = URL(f"{url}{'&' if urlsplit(url).query else '?'}validationToken={encoded}", encoded=True)
        try:
            async with self._http().post(
                address,
                data=b"",
                headers={"Content-Type": "text/plain; charset=utf-8"},
                timeout=aiohttp.ClientTimeout(total=HANDSHAKE_S),
                allow_redirects=False,
            ) as reply:
                echoed = await reply.text()
                fits = reply.status == 200 and reply.content_type == "text/plain" and echoed == token
                problem = f"HTTP {reply.status} {reply.content_type}"
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            fits, problem = False, type(error).__name__
        if not fits:
            raise GraphProblem(
                400,
                "ValidationError",
                "Subscription validation request failed. Notification endpoint must respond with 200 OK to "
                f"validation request. ({problem})",
            )

    def _queue_with_faults(self, item: dict[str, Any], subscription: Subscription) -> None:
        chance, url = self._random.random, subscription.notification_url
        if chance() < self._behaviour.notification_forged_share:
            self.counts["forged"] += 1
            self._queue(url, _forged(item, self._random), None)
        if chance() < self._behaviour.notification_lost_share:
            self.counts["lost"] += 1
            return
        copies = 2 if chance() < self._behaviour.notification_doubled_share else 1
        for _ in range(copies):
            if chance() < self._behaviour.notification_late_share:
                delay_s = chance() * self._behaviour.notification_late_max_s
                asyncio.get_running_loop().call_later(delay_s, self._queue, url, item, subscription)
            else:
                self._queue(url, item, subscription)

    def _queue(self, url: str, item: dict[str, Any], subscription: Subscription | None) -> None:
        queue = self._queues.setdefault(url, [])
        if not queue:
            asyncio.get_running_loop().call_later(
                self._behaviour.notification_delay_ms / 1000, self._flush, url
            )
        queue.append((item, subscription))

    def _flush(self, url: str) -> None:
        items = self._queues.pop(url, [])
        if self._behaviour.notification_reordered:
            self._random.shuffle(items)
        size = max(1, self._behaviour.notification_batch)
        for start in range(0, len(items), size):
            task = asyncio.get_running_loop().create_task(self._deliver(url, items[start : start + size]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, items: list[Item]) -> None:
        started = asyncio.get_running_loop().time()
        wait_s, limit_s = self._behaviour.notification_backoff_s, _FIRST_TRY_S
        body = orjson.dumps(self._collection(items), option=orjson.OPT_UTC_Z)
        while True:
            self.counts["posts"] += 1
            async with self._places:
                if await self._post(url, body, limit_s):
                    self.counts["delivered"] += len(items)
                    return
            if asyncio.get_running_loop().time() + wait_s - started > self._behaviour.notification_give_up_s:
                self.counts["given_up"] += len(items)
                return
            self.counts["retries"] += 1
            await asyncio.sleep(wait_s)
            wait_s, limit_s = wait_s * 2, _RETRY_S

    async def _post(self, url: str, body: bytes, limit_s: float) -> bool:
        try:
            async with self._http().post(
                URL(url, encoded=True),
                data=body,
                headers={"Content-Type": "application/json; charset=utf-8"},
                timeout=aiohttp.ClientTimeout(total=limit_s),
                allow_redirects=False,
            ) as reply:
                return 200 <= reply.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _collection(self, items: list[Item]) -> dict[str, Any]:
        collection: dict[str, Any] = {"value": [item for item, _ in items]}
        apps = {
            one.app.client_id: one.app for _, one in items if one is not None and one.certificate is not None
        }
        if apps:
            collection["validationTokens"] = [self._tokens.validation_token(app) for app in apps.values()]
        return collection

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A webhook on loopback has a certificate of its own making; the sandbox has no other webhooks.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False, limit=0))
        return self._session


def _envelope(subscription: Subscription) -> dict[str, Any]:
    return {
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": subscription.expires_at,
        "clientState": subscription.client_state,
        "tenantId": subscription.app.tenant_id,
    }


def _item(subscription: Subscription, change: Change) -> dict[str, Any]:
    message = change.message
    shown_id = message.immutable_id if subscription.immutable_ids else change.default_id
    resource = f"Users/{subscription.mailbox.user_id}/Messages/{shown_id}"
    item = {
        **_envelope(subscription),
        "changeType": change.kind,
        "resource": resource,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Message",
            "@odata.id": resource,
            "@odata.etag": message.etag,
            "id": shown_id,
        },
    }
    if subscription.certificate is not None:
        view = View(subscription.select, immutable_ids=subscription.immutable_ids)
        content = {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/messages/$entity"}
        content |= message_json(message, view)
        item["encryptedContent"] = encrypted(content, subscription.certificate, subscription.certificate_id)
    return item


def _forged(item: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A stranger's item: a guessed clientState, or a subscription nobody has."""
    if rng.random() < 0.5:
        return {**item, "clientState": f"guess-{rng.getrandbits(64):x}"}
    return {
        **item,
        "subscriptionId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "subscriptionExpirationDateTime": datetime.now(UTC),
    }
