"""Request lines and headers that are none, and requests smuggled behind others."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.case import CLOSED, KEY, Case, raw, request

_HOST = b"Host: localhost\r\n"
_AUTH = b"Authorization: Bearer " + KEY + b"\r\n"
_BODY = b'{"messageId":"smuggled","organizationId":"solo"}'
_POST = b"POST /emails/process HTTP/1.1\r\n" + _HOST + _AUTH + b"Content-Type: application/json\r\n"
_HIDDEN = b"GET /organizations HTTP/1.1\r\n" + _HOST + _AUTH + b"\r\n"
_REFUSED = (400, CLOSED)


def cases() -> Iterator[Case]:
    yield from _request_lines()
    yield from _headers()
    yield from _lengths()
    yield from _chunks()


def _request_lines() -> Iterator[Case]:
    lines = {
        "no version": b"GET /organizations",
        "HTTP/0.9": b"GET /organizations HTTP/0.9",
        "HTTP/2.0": b"GET /organizations HTTP/2.0",
        "HTTP/9.9": b"GET /organizations HTTP/9.9",
        "HTTP/1.11": b"GET /organizations HTTP/1.11",
        "HTTP/1": b"GET /organizations HTTP/1",
        "http in lower case": b"GET /organizations http/1.1",
        "ICE": b"GET /organizations ICE/1.0",
        "a tab": b"GET\t/organizations\tHTTP/1.1",
        "space in the target": b"GET /organi zations HTTP/1.1",
        "two spaces before the target": b"GET  /organizations HTTP/1.1",
        "two spaces behind the target": b"GET /organizations  HTTP/1.1",
        "a space at the end": b"GET /organizations HTTP/1.1 ",
        "a space at the beginning": b" GET /organizations HTTP/1.1",
        "fragment": b"GET /organizations#part HTTP/1.1",
        "URL of another host": b"GET http://evil.example/organizations HTTP/1.1",
        "URL of another port": b"GET http://localhost:1/organizations HTTP/1.1",
        "URL with a user": b"GET http://a@localhost/organizations HTTP/1.1",
        "URL of another scheme": b"GET ftp://localhost/organizations HTTP/1.1",
        "URL that is none": b"GET http://[/organizations HTTP/1.1",
        "no slash": b"GET organizations HTTP/1.1",
        "query alone": b"GET ?x HTTP/1.1",
        "trailing word": b"GET /organizations HTTP/1.1 more",
        "no method": b"/organizations HTTP/1.1",
        "no target": b"GET HTTP/1.1",
        "method with control characters": b"G\x01ET /organizations HTTP/1.1",
        "method with a slash": b"G/ET /organizations HTTP/1.1",
        "method of 10,000 letters": b"G" * 10_000 + b" /organizations HTTP/1.1",
        "NUL in the target": b"GET /organi\x00zations HTTP/1.1",
        "DEL in the target": b"GET /organi\x7fzations HTTP/1.1",
        "carriage return in the target": b"GET /organi\rzations HTTP/1.1",
        "target of 9,000": b"GET /" + b"a" * 9_000 + b" HTTP/1.1",
        "target of 60,000": b"GET /" + b"a" * 60_000 + b" HTTP/1.1",
        "query of 60,000": b"GET /organizations?" + b"a" * 60_000 + b" HTTP/1.1",
        "binary": bytes(range(1, 10)) + bytes(range(14, 256)),
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32,
        "HTTP/2 preface": b"PRI * HTTP/2.0",
        "SMTP": b"EHLO mail.example",
        "Redis": b"*1\r\n$4\r\nPING",
    }
    for name, line in lines.items():
        yield raw(f"request line: {name}", line + b"\r\n" + _HOST + _AUTH + b"\r\n", expect=_REFUSED)
    yield raw("request line: only line feeds", b"\n" * 70_000, expect=_REFUSED, ends=True)
    yield raw("request line: never ends", b"GET /" + b"a" * 500_000, expect=_REFUSED, ends=True)
    slowly = (b"GET ", b" /organizations HTTP/1.1\r\n" + _HOST + _AUTH + b"\r\n")
    yield raw("request line: two spaces, apart", *slowly, expect=_REFUSED)
    yield raw("request line: broken off", b"GET /organiz", expect=_REFUSED, ends=True)
    for method in ("TRACE", "PROPFIND", "BREW", "get", "CONNECT", "OPTIONS", "PATCH"):
        yield request(f"method: {method}", method, "/emails/process", expect=(400, 404, 405))


def _headers() -> Iterator[Case]:
    broken = {
        "no colon": b"Nonsense\r\n",
        "no name": b": value\r\n",
        "space before the colon": b"X-Name : value\r\n",
        "space in the name": b"X Name: value\r\n",
        "control character in the name": b"X\x01Name: value\r\n",
        "brackets in the name": b"X(Name): value\r\n",
        "name not ASCII": "X-Ñame: value\r\n".encode(),
        "NUL in the value": b"X-Name: a\x00b\r\n",
        "bell in the value": b"X-Name: a\x07b\r\n",
        "DEL in the value": b"X-Name: a\x7fb\r\n",
        "carriage return in the value": b"X-Name: a\rb\r\n",
        "folded value": b"X-Name: a\r\n b\r\n",
        "folded with a tab": b"X-Name: a\r\n\tb\r\n",
        "folded first line": b" X-Name: a\r\n",
        "value of 9,000": b"X-Name: " + b"a" * 9_000 + b"\r\n",
        "value of 200,000": b"X-Name: " + b"a" * 200_000 + b"\r\n",
        "name of 9,000": b"X" * 9_000 + b": a\r\n",
        "200 headers": b"".join(b"X-%d: a\r\n" % number for number in range(200)),
        "10,000 headers": b"".join(b"X-%d: a\r\n" % number for number in range(10_000)),
        "one header 500 times": b"X-Name: a\r\n" * 500,
        "two hosts": b"Host: evil.example\r\n",
    }
    for name, header in broken.items():
        head = b"GET /organizations HTTP/1.1\r\n" + _HOST + _AUTH + header + b"\r\n"
        yield raw(f"header: {name}", head, expect=_REFUSED)
    hosts = {
        "with a space": b"local host",
        "with a path": b"localhost/organizations",
        "with a user": b"a@localhost",
        "with a query": b"localhost?x",
        "with a port that is none": b"localhost:80x",
        "with a port beyond 65535": b"localhost:99999999",
        "half an IPv6 address": b"[::1",
        "two": b"localhost, evil.example",
        "not ASCII": "ñ.example".encode(),
        "of 5,000": b"a" * 5_000,
    }
    for name, host in hosts.items():
        head = b"GET /organizations HTTP/1.1\r\nHost: " + host + b"\r\n" + _AUTH + b"\r\n"
        yield raw(f"header: host {name}", head)
    yield raw("header: no host", b"GET /organizations HTTP/1.1\r\n" + _AUTH + b"\r\n")
    yield raw(
        "header: line feeds alone", b"GET /organizations HTTP/1.1\nHost: localhost\n\n", expect=(400, 401)
    )
    yield raw("header: broken off", b"GET /organizations HTTP/1.1\r\nHost: loc", expect=_REFUSED, ends=True)
    yield request("header: expectation", "GET", "/organizations", headers={"Expect": "tea"}, expect=(417,))
    for upgrade in ("websocket", "h2c", "TLS/1.0"):
        headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABk"}
        yield request(
            f"header: upgrade to {upgrade}", "GET", "/jobs/none", headers=headers, expect=(400, 404)
        )


def _lengths() -> Iterator[Case]:
    lengths = {
        "negative": b"Content-Length: -1\r\n",
        "with a sign": b"Content-Length: +48\r\n",
        "hexadecimal": b"Content-Length: 0x30\r\n",
        "fraction": b"Content-Length: 48.0\r\n",
        "exponent": b"Content-Length: 4e1\r\n",
        "text": b"Content-Length: many\r\n",
        "empty": b"Content-Length:\r\n",
        "list": b"Content-Length: 48, 48\r\n",
        "list of two": b"Content-Length: 48, 2\r\n",
        "inner space": b"Content-Length: 4 8\r\n",
        "underscore": b"Content-Length: 4_8\r\n",
        "other digits": "Content-Length: ٤٨\r\n".encode(),
        "beyond 64 bits": b"Content-Length: 99999999999999999999\r\n",
        "twice the same": b"Content-Length: 48\r\nContent-Length: 48\r\n",
        "twice, different": b"Content-Length: 48\r\nContent-Length: 2\r\n",
        "folded": b"Content-Length:\r\n 48\r\n",
        "and chunked": b"Content-Length: 48\r\nTransfer-Encoding: chunked\r\n",
        "behind chunked": b"Transfer-Encoding: chunked\r\nContent-Length: 48\r\n",
        "and identity": b"Content-Length: 48\r\nTransfer-Encoding: identity\r\n",
        "and an unknown coding": b"Content-Length: 48\r\nTransfer-Encoding: xchunked\r\n",
        "name with a space": b"Content-Length : 48\r\n",
    }
    for name, header in lengths.items():
        yield raw(f"length: {name}", _POST + header + b"\r\n" + _BODY + _HIDDEN, expect=_REFUSED)
    huge = _POST + b"Content-Length: 9000000000000000000\r\n\r\n" + _BODY
    yield raw("length: larger than any memory", huge, expect=(413,))
    yield raw(
        "length: more than comes", _POST + b"Content-Length: 500\r\n\r\n" + _BODY, expect=_REFUSED, ends=True
    )


def _chunks() -> Iterator[Case]:
    codings = {
        "xchunked": b"xchunked",
        "chunked, identity": b"chunked, identity",
        "identity, chunked": b"identity, chunked",
        "gzip, chunked": b"gzip, chunked",
        "chunked twice": b"chunked, chunked",
        "with a vertical tab": b"\x0bchunked",
        "with a quote": b'"chunked"',
        "empty": b"",
        "with a parameter": b"chunked;q=1",
        "with a comma behind": b"chunked,",
        "with a comma before": b",chunked",
        "not ASCII": b"\xffchunked",
        "folded": b"\r\n chunked",
        "NUL": b"chunked\x00",
    }
    whole = b"30\r\n" + _BODY + b"\r\n0\r\n\r\n"
    for name, coding in codings.items():
        head = _POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n"
        yield raw(f"coding: {name}", head + whole + _HIDDEN, expect=_REFUSED)
    chunked_line = b"Transfer-Encoding: chunked\r\n"
    odd_headers = {
        "in two headers": chunked_line + b"Transfer-Encoding: identity\r\n",
        "in two headers, the same": chunked_line * 2,
        "behind a line feed alone": b"X-Name: a\n" + chunked_line,
        "behind a carriage return alone": b"X-Name: a\r" + chunked_line,
        "with a space before the colon": b"Transfer-Encoding : chunked\r\n",
        "with a tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
    }
    for name, header in odd_headers.items():
        yield raw(f"coding: {name}", _POST + header + b"\r\n" + whole + _HIDDEN, expect=_REFUSED)
    old = _POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n"
    yield raw("coding: chunked in HTTP/1.0", old + whole + _HIDDEN, expect=_REFUSED)
    chunked = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
    broken = {
        "no number": b"\r\n",
        "not a number": b"zz\r\nab\r\n0\r\n\r\n",
        "negative": b"-1\r\nab\r\n0\r\n\r\n",
        "with a sign": b"+30\r\n" + _BODY + b"\r\n0\r\n\r\n",
        "with a prefix": b"0x30\r\n" + _BODY + b"\r\n0\r\n\r\n",
        "inner space": b"3 0\r\n" + _BODY + b"\r\n0\r\n\r\n",
        "beyond 64 bits": b"fffffffffffffffff\r\nab\r\n0\r\n\r\n",
        "larger than any memory": b"7fffffffffffffff\r\n" + b"a" * 2_000_000,
        "longer than said": b"2\r\nabcdef\r\n0\r\n\r\n",
        "no line end behind the data": b"30\r\n" + _BODY + b"0\r\n\r\n",
        "line feed alone": b"30\n" + _BODY + b"\n0\n\n",
        "white space behind the number": b"30 \r\n" + _BODY + b"\r\n0\r\n\r\n",
        "white space before the number": b" 30\r\n" + _BODY + b"\r\n0\r\n\r\n",
        "underscore": b"3_0\r\n" + _BODY + b"\r\n0\r\n\r\n",
        "carriage return alone": b"30\r" + _BODY + b"\r\n0\r\n\r\n",
        "line feed behind the data": b"30\r\n" + _BODY + b"\n0\r\n\r\n" + _HIDDEN,
        "other bytes behind the data": b"30\r\n" + _BODY + b"XX0\r\n\r\n" + _HIDDEN,
        "line feed behind an extension": b"30;a\n" + _BODY + b"\r\n0\r\n\r\n" + _HIDDEN,
        "line end in an extension": b'30;a="b\r\n"\r\n' + _BODY + b"\r\n0\r\n\r\n" + _HIDDEN,
        "line feeds at the end": b"30\r\n" + _BODY + b"\r\n0\n\n" + _HIDDEN,
        "half a line feed at the end": b"30\r\n" + _BODY + b"\r\n0\r\n\n" + _HIDDEN,
        "trailer that sets the coding": b"30\r\n" + _BODY + b"\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "trailer with a line feed": b"30\r\n" + _BODY + b"\r\n0\r\nX: a\nY: b\r\n\r\n" + _HIDDEN,
        "extension with a control character": b"30;a\x01\r\n" + _BODY + b"\r\n0\r\n\r\n",
        "trailer that sets the length": b"30\r\n" + _BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n",
        "trailer that is none": b"30\r\n" + _BODY + b"\r\n0\r\nnonsense\r\n\r\n",
        "trailers without end": b"30\r\n" + _BODY + b"\r\n0\r\n" + b"X-T: a\r\n" * 30_000,
        "another request in place of the end": b"30\r\n" + _BODY + b"\r\n" + _HIDDEN,
    }
    for name, chunk in broken.items():
        pieces = (chunked, chunk)
        yield raw(f"chunk: {name}", *pieces, expect=(*_REFUSED, 413), ends=True)
    yield raw(
        "chunk: 300,000 of one byte", chunked, b"1\r\na\r\n" * 300_000, expect=(*_REFUSED, 413), ends=True
    )
