"""Requests that nobody should send: some hundreds, generated, the same ones every time."""

import json
import random
from collections.abc import Iterator

from batchyard.wire import model

A_JOB = {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}
SEED = 20161201
TEN_MEGABYTES = 10 * 1000 * 1000


def every() -> Iterator[tuple[str, bytes]]:
    """(what is wrong with it, the bytes of the request)."""
    yield from wrong_types()
    yield from wrong_methods_and_paths()
    yield from bad_json()
    yield from bad_text()
    yield from too_large()
    yield from bad_content_types()
    yield from bad_targets()
    yield from bad_http()


def post(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def wrong_types() -> Iterator[tuple[str, bytes]]:
    """Every member of every AWS Batch request, as a value that its shape cannot be."""
    for operation in model.batch().operations.values():
        for name, member in (operation.input.members if operation.input else {}).items():
            if "location" in member.serialization:
                continue
            wrong: object = ["x"] if member.type_name in ("structure", "map") else {"x": [None, {"y": 1e3}]}
            path = operation.uri.replace("{resourceArn}", "arn")
            yield f"{operation.name} with {name} mistyped", post(path, json.dumps({name: wrong}).encode())


def wrong_methods_and_paths() -> Iterator[tuple[str, bytes]]:
    for operation in model.batch().operations.values():
        path = operation.uri.replace("{resourceArn}", "arn")
        yield f"PUT {path}", post(path, b"{}", method="PUT")
        yield f"POST {path}/..", post(path.upper() + "/..", b"{}")
    for path in ("/v1", "/v1/", "/v2/submitjob", "/v1/../etc/passwd", "/v1/%2e%2e", "//v1/submitjob", "/nowhere", "*"):
        yield f"POST {path}", post(path, b"{}")
    for label in ("%", "%f", "%zz", "%ff", "%00", "a%00b", "%ed%a0%80", "%c0%80", "arn%", "%u0041"):
        yield f"tags of {label}", post(f"/v1/tags/{label}", b"", method="GET")
        yield f"untag {label}", post(f"/v1/tags/arn?tagKeys={label}", b"", method="DELETE")


def bad_json() -> Iterator[tuple[str, bytes]]:
    dice = random.Random(SEED)
    whole = json.dumps({**A_JOB, "containerOverrides": {"command": ["a", "b"], "environment": [{"name": "x"}]}})
    for _ in range(60):
        yield "cut short", post("/v1/submitjob", whole[: dice.randrange(1, len(whole))].encode())
    for _ in range(60):
        noise = dice.randbytes(dice.randrange(1, 400))
        yield "noise", post("/v1/submitjob", b"\xfe" + noise)
    for text in (
        "[]",
        "null",
        "true",
        "1",
        '"a"',
        "{}{}",
        "{'a': 1}",
        "{a: 1}",
        '{"a": 1,}',
        "[{}]",
        "NaN",
        "-",
        "\ufeff{}",
    ):
        yield f"body {text}", post("/v1/submitjob", text.encode())
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 30, "9" * 5000, "0x10", "01", "1.5", "1e400"):
        body = json.dumps(A_JOB)[:-1] + f', "arrayProperties": {{"size": {number}}}}}'
        yield f"size {number[:10]}", post("/v1/submitjob", body.encode())
    for opening in ("[", '{"a":', '{"dependsOn":[', '[{"a":['):
        yield f"deep {opening}", post("/v1/submitjob", b'{"tags":' + opening.encode() * 60_000)
    deep = b'{"parameters":' * 2000 + b"{}" + b"}" * 2000
    yield "deep and closed", post("/v1/submitjob", deep)


def bad_text() -> Iterator[tuple[str, bytes]]:
    for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\\ud800", b"\\udc00", b"\\ud800\\u0041"):
        for where in (b'{"jobName":"%b"}', b'{"%b":1}', b'{"parameters":{"%b":"a"}}', b'{"tags":{"a":"%b"}}'):
            yield f"text {text!r} in {where!r}", post("/v1/submitjob", where % text)
    for nul in (b"\\u0000", b"a\\u0000b", b"\x00"):
        for where in (b'{"jobName":"%b"}', b'{"parameters":{"%b":"a"}}', b'{"containerOverrides":{"command":["%b"]}}'):
            yield f"NUL {nul!r} in {where!r}", post("/v1/submitjob", where % nul)


def too_large() -> Iterator[tuple[str, bytes]]:
    string = b'{"jobName":"' + b"x" * TEN_MEGABYTES + b'"}'
    numbers = b'{"jobs":[' + b"0," * (TEN_MEGABYTES // 2) + b"0]}"
    for body in (string, numbers, b" " * TEN_MEGABYTES, b"\x00" * TEN_MEGABYTES):
        yield "10 MB", post("/v1/submitjob", body)
    chunk = b"10000\r\n" + b"y" * 0x10000 + b"\r\n"
    chunks = chunk * (TEN_MEGABYTES // 0x10000) + b"0\r\n\r\n"
    yield "10 MB in chunks", post("/v1/submitjob", chunks, "Transfer-Encoding: chunked")
    yield "10 MB to nowhere", post("/v1/nowhere", string)
    yield "promised 10 GB", post("/v1/submitjob", b"", "Content-Length: 10000000000")


def bad_content_types() -> Iterator[tuple[str, bytes]]:
    for content_type in (
        "text/plain",
        "text/xml",
        "application/cbor",
        "application/x-www-form-urlencoded",
        "image/png",
    ):
        body = json.dumps(A_JOB).encode()
        yield f"type {content_type}", post("/v1/submitjob", body, f"Content-Type: {content_type}")
        logs = ("X-Amz-Target: Logs_20140328.DescribeLogGroups", f"Content-Type: {content_type}")
        yield f"logs type {content_type}", post("/", b"{}", *logs)


def bad_targets() -> Iterator[tuple[str, bytes]]:
    targets = ("", ".", "Logs_20140328", "Logs_20140328.", "Logs_20140328.Nope", "Logs_20140328.getlogevents")
    for target in (*targets, "x" * 5000, "Logs_20140328.GetLogEvents.", "\u00ff", "DynamoDB_20120810.ListTables"):
        yield f"target {target[:40]}", post("/", b"{}", f"X-Amz-Target: {target}")
    yield "no target", post("/", b"{}")
    for member in (
        '"limit":0',
        '"limit":1e9',
        '"limit":"1"',
        '"logStreamName":"a:b"',
        '"startTime":-1',
        '"startFromHead":1',
    ):
        body = b"{" + member.encode() + b"}"
        yield f"logs {member}", post("/", body, "X-Amz-Target: Logs_20140328.GetLogEvents")


def bad_http() -> Iterator[tuple[str, bytes]]:
    ok = b"POST /v1/submitjob HTTP/1.1\r\nHost: a\r\n"
    yield "no HTTP", b"hello there\r\n\r\n"
    yield "TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)
    yield "unknown method", b"SUBMIT / HTTP/1.1\r\n\r\n"
    yield "no such version", b"POST / HTTP/9.9\r\n\r\n"
    yield "header without colon", ok + b"nonsense\r\n\r\n"
    yield "NUL in a header", ok + b"X-A: \x00\r\n\r\n"
    yield "two lengths", ok + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
    yield "negative length", ok + b"Content-Length: -1\r\n\r\n"
    yield "enormous length", ok + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n"
    yield "length and chunks", ok + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield "broken chunk", ok + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    yield "space in the path", b"POST /v1/submit job HTTP/1.1\r\n\r\n"
    yield "a large header", ok + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n"
    yield "many headers", ok + b"X-A: a\r\n" * 100_000 + b"\r\n"
    yield "a large path", b"POST /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n"
    yield "tiny chunks", ok + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;x=" + b"x" * 100_000 + b"\r\na\r\n"
    trailers = b"0\r\n" + b"X-A: a\r\n" * 100_000 + b"\r\n"
    yield "endless trailers", ok + b"Transfer-Encoding: chunked\r\n\r\n" + trailers
    upgrade = ok.replace(b"submitjob", b"describejobqueues") + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    yield "an upgrade that loses the body", upgrade + b"Content-Length: 2\r\n\r\n{}"
    yield "an upgrade in chunks", upgrade + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
