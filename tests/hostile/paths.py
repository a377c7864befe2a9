"""Paths and query strings that reach for what is not theirs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.case import Case, request

_SECRETS = ("etc/passwd", "organizations.toml", "secret")


def cases() -> Iterator[Case]:
    yield from _traversal()
    yield from _odd_paths()
    yield from _queries()


def _traversal() -> Iterator[Case]:
    steps = {
        "plain": "../",
        "encoded": "%2e%2e/",
        "encoded slash": "..%2f",
        "all encoded": "%2e%2e%2f",
        "encoded twice": "%252e%252e%252f",
        "backslash": "..%5c",
        "overlong": "%c0%ae%c0%ae%c0%af",
        "wide": "%ef%bc%8e%ef%bc%8e%ef%bc%8f",
        "four dots": "....//",
        "with NUL": "..%00/",
        "semicolon": "..;/",
    }
    for place in ("/docs/", "/reports/", "/exports/solo/2026-W47/"):
        for name, step in steps.items():
            for secret in _SECRETS[: 1 if place != "/docs/" else 3]:
                target = place + step * 6 + secret
                yield request(
                    f"traversal: {name} to {secret} in {place}", "GET", target, expect=(400, 404, 422)
                )


def _odd_paths() -> Iterator[Case]:
    targets = {
        "another scheme": "file:///etc/passwd",
        "authority": "evil.example:443",
        "asterisk": "*",
        "two slashes": "//organizations",
        "many slashes": "/" * 4_000,
        "dot": "/./",
        "trailing slash": "/organizations/",
        "dot segments": "/jobs/../organizations/../../x",
        "parameter": "/organizations;jsessionid=1",
        "broken percent": "/jobs/%",
        "percent of no hex": "/jobs/%zz",
        "NUL": "/jobs/%00",
        "line break": "/jobs/a%0d%0aSet-Cookie:%20a=b",
        "not UTF-8": "/jobs/%ff%fe",
        "surrogate": "/jobs/%ed%a0%80",
        "513 characters": "/jobs/" + "a" * 513,
        "8,000 characters": "/jobs/" + "a" * 8_000,
        "right to left": "/jobs/%e2%80%aegnp.exe",
        "zero width": "/jobs/%e2%80%8b",
        "script": "/jobs/%3Cscript%3Ealert(1)%3C/script%3E",
        "template": "/jobs/%7B%7B7*7%7D%7D",
        "SQL": "/jobs/'%20OR%201=1--",
        "Redis": "/jobs/%0d%0aFLUSHALL%0d%0a",
        "glob": "/jobs/*",
        "job of the cron that is none": "/cron/jobs/__proto__",
        "dead letter that is none": "/dead-letters/-1",
        "message of a thousand bytes": "/emails/" + "%F0%9F%98%80" * 200 + "?organizationId=solo",
        "git": "/.git/config",
        "environment": "/.env",
        "admin": "/admin",
    }
    for name, target in targets.items():
        yield request(f"path: {name}", "GET", target, expect=(400, 404, 405, 422))


def _queries() -> Iterator[Case]:
    for value in (
        "-1",
        "0",
        "1.5",
        "1e3",
        "0x10",
        "abc",
        "",
        "99999999999999999999",
        "%00",
        "null",
        "٣",
        "1,2",
        "[1]",
    ):
        yield request(f"query: limit={value}", "GET", f"/dead-letters?limit={value}", expect=(400, 422))
    queries = {
        "unknown name": "/dead-letters?surprise=1",
        "the same name twice": "/dead-letters?limit=1&limit=2",
        "array": "/dead-letters?limit[]=1",
        "object": "/dead-letters?limit[$gt]=1",
        "prototype": "/dead-letters?__proto__=1",
        "no organization": "/emails/m1",
        "empty organization": "/emails/m1?organizationId=",
        "organization of 5,000": "/emails/m1?organizationId=" + "a" * 5_000,
        "organization that is none": "/emails/m1?organizationId=other",
        "organization not UTF-8": "/emails/m1?organizationId=%ff",
        "organization with line break": "/emails/m1?organizationId=solo%0d%0a",
        "mailbox of another": "/emails/m1?organizationId=solo&mailbox=x@evil.example",
        "date that is none": "/reports/2026-13-45",
        "date with time": "/reports/2026-11-22T00:00",
        "format that is none": "/reports/2026-11-21?format=exe",
        "1,000 parameters": "/dead-letters?" + "&".join(f"a{number}=1" for number in range(1_000)),
        "cursor that is none": "/dead-letters?cursor=%F0%9F%98%80",
        "week that is none": "/exports/solo/2026-W99/ledger.jsonl.gz",
    }
    for name, target in queries.items():
        yield request(f"query: {name}", "GET", target, expect=(400, 404, 422))
