#!/usr/bin/env python3
"""Verifies an exported .jsonl, and a checkpoint over it, from formats.md alone.

    verify.py EXPORT.jsonl [CHECKPOINT [KEY.pub]]

Needs b3sum; openssl for KEY.pub. Exit status: 0 it holds, 1 it does not, 2 it cannot be told.
"""
import base64, datetime, hashlib, json, pathlib, re, subprocess, sys, tempfile

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-%s[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
WHOLE = lambda v: type(v) is int and 0 <= v < 2**53
TEXT = lambda v: type(v) is str
TIME = lambda year, *rest: datetime.datetime(2000 + year % 400, *rest)  # or a ValueError; 400 years on the calendar is the same
LIKE = lambda form: lambda v: TEXT(v) and re.fullmatch(form, v, re.ASCII) is not None
MEMBERS = {
    "v": lambda v: type(v) is int and v == 1, "journal": LIKE(UUID % "4"), "seq": lambda v: WHOLE(v) and v > 0,
    "id": LIKE(UUID % "7"), "type": lambda v: TEXT(v) and v != "", "crit": lambda v: type(v) is bool,
    "time": lambda v: LIKE(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")(v) and TIME(*map(int, re.split("[-T:.]", v)[:6])), "boot_id": TEXT, "uptime_ms": WHOLE,
    "run": TEXT, "node": TEXT, "epoch": WHOLE, "data": lambda v: type(v) is dict, "prev": LIKE("[0-9a-f]{64}"),
}

def need(holds, what):
    if not holds:
        raise ValueError(what)

def members(pairs):
    need(len(dict(pairs)) == len(pairs), "a member comes twice")
    return dict(pairs)

def canonical(v):
    """The form of RFC 8785: members by UTF-16 code units, whole numbers only."""
    if type(v) is dict:
        return "{" + ",".join(canonical(n) + ":" + canonical(v[n]) for n in sorted(v, key=lambda n: n.encode("utf-16-be"))) + "}"
    if type(v) is list:
        return "[" + ",".join(map(canonical, v)) + "]"
    need(type(v) is not float and (type(v) is not int or abs(v) < 2**53), "a number that is not whole, or not exact")
    return json.dumps(v, ensure_ascii=False)

def blake3(lines):
    """One b3sum for a thousand records."""
    for i in range(0, len(lines), 1000):
        with tempfile.TemporaryDirectory() as d:
            names = ["%04d" % n for n in range(len(lines[i:i + 1000]))]
            for name, line in zip(names, lines[i:]):
                pathlib.Path(d, name).write_bytes(line)
            yield from subprocess.run(["b3sum", "--no-names", *names], cwd=d, capture_output=True, check=True, text=True).stdout.split()

def record(n, line, hashes, first):
    r = json.loads(line.decode(), object_pairs_hook=members)
    need(type(r) is dict and r.keys() == MEMBERS.keys() and all(right(r[name]) for name, right in MEMBERS.items()), "a member is not what it must be")
    need(canonical(r).encode() == line, "not the canonical form")
    need(r["journal"] == (first or r)["journal"] and r["seq"] == (first or r)["seq"] + n and len(line) <= 65535, "not in its place, of another journal, or too long")
    need(r["prev"] == hashes[n - 1] if n else r["prev"] == "0" * 64 or r["seq"] > 1, "the link to the record before is broken")
    return first or r

def root(lines):
    """The root of the Merkle tree of RFC 6962: a left-over node moves up."""
    level = [hashlib.sha256(b"\0" + line).digest() for line in lines]
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs):]
    return base64.b64encode(level[0]).decode()

def signed(text, signature, raw):
    with tempfile.TemporaryDirectory() as d:
        for name, data in ("key", bytes.fromhex("302a300506032b6570032100") + raw), ("text", text), ("sig", signature):
            pathlib.Path(d, name).write_bytes(data)
        command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig".split()
        return subprocess.run(command, cwd=d, capture_output=True).returncode == 0

def checkpoint(note, key, first, lines):
    text, signatures = note.split("\n\n")
    origin, size, tree = text.split("\n")
    need(origin == "edged/" + first["journal"] and first["seq"] == 1, "checkpoint: of another journal")
    need(re.fullmatch("[1-9][0-9]*", size) and int(size) <= len(lines), "checkpoint: over more records than these")
    need(tree == root(lines[:int(size)]), "checkpoint: over other records")
    if key is None:
        return size + " records are those of the checkpoint; its signature was not verified"
    raw = base64.b64decode(key.strip().split("+", 2)[2], validate=True)
    need(len(raw) == 33 and raw[0] == 1, "not an Ed25519 key")
    for line in signatures.strip().split("\n"):
        _, name, signature = line.split(" ")
        if signed(text.encode() + b"\n", base64.b64decode(signature, validate=True)[4:], raw[1:]):
            return size + " records are those of the checkpoint, signed by " + name
    raise ValueError("checkpoint: not signed by this key")

n = 0
try:
    export = open(sys.argv[1], "rb").read()
    need(export.endswith(b"\n"), "the last record is cut short")
    hashes, first = list(blake3(lines := export[:-1].split(b"\n"))), None
    for n, line in enumerate(lines):
        first = record(n, line, hashes, first)
    print("ok: %d records of journal %s, newest %s" % (len(lines), first["journal"], hashes[-1]))
    if len(sys.argv) > 2:
        print("ok:", checkpoint(open(sys.argv[2]).read(), open(sys.argv[3]).read() if len(sys.argv) > 3 else None, first, lines))
except (OSError, subprocess.CalledProcessError) as e:
    sys.exit(print("CANNOT: %s; name files that can be read, and have b3sum and openssl installed" % e, file=sys.stderr) or 2)
except (ValueError, IndexError, RecursionError) as e:
    sys.exit("WRONG: line %d: %s" % (n + 1, e))
