#!/usr/bin/env python3
"""Judges the boot history of an edge node, by docs/formats.md alone.

    verify.py FILE [--since OLD] [--key PUB]...

FILE is an audit bundle (its .tar, or the folder that it unpacks to) or an exported .jsonl. OLD is what you kept from before: a
checkpoint, a bundle or an export. PUB is the node's checkpoint key as you hold it; where it was replaced, name the old one first.
Needs Python 3.8, b3sum, openssl 3. Exit status: 0 intact, extended, salvaged; 1 truncated, rewritten, inconsistent; 2 it could not be checked.
"""
import os, sys
if not sys.flags.isolated:
    sys.path.pop(0)  # the folder of this file: in a bundle, anybody may have put modules there
import base64, datetime, functools, getopt, hashlib, io, json, pathlib, posixpath, re, signal, subprocess, tarfile, tempfile, types

class Cannot(Exception): """Something keeps from judging. It says nothing about the history."""
FORM = ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError  # what reading raises where the form is another
FOUND, HASHES = [], {}  # what is wrong, pairs of verdict and text; and the hash of what was hashed
def need(holds, what):
    if not holds: raise ValueError(what)
def wrong(what, verdict="inconsistent"): FOUND.append((verdict, what))
def say(text, file=sys.stdout):  # nothing that is printed does something to a terminal
    print("".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text), file=file)

# --- Tools. What one of them cannot do is never a verdict.
def run(files, *command):  # in a folder of its own that holds these files
    with tempfile.TemporaryDirectory() as folder:
        for name in files: pathlib.Path(folder, name).write_bytes(files[name])
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace").strip()
def blake3(*blobs):  # the hash of the first; all of them are hashed, a thousand by each b3sum, and remembered
    new = [b for b in dict.fromkeys(blobs) if b not in HASHES]
    for some in (new[i:i + 1000] for i in range(0, len(new), 1000)):
        files = {"f%d" % n: blob for n, blob in enumerate(some)}
        code, said = run(files, "b3sum", "--no-names", *files)
        if code or not re.fullmatch("([0-9a-f]{64}\n){%d}" % len(some), said + "\n"):
            raise Cannot("b3sum failed (%d): %.300s" % (code, said))
        HASHES.update(zip(some, said.split()))
    return HASHES[blobs[0]] if blobs else None
SMALL = 0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, \
    0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826, 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7
def strong(key):  # no point of small order: under such a key anybody can sign
    return len(key) == 32 and int.from_bytes(key, "little") % 2**255 not in SMALL
@functools.lru_cache(None)
def signed(key, text, signature):  # by Ed25519
    if not strong(key) or len(signature) != 64 or not text: return False
    said = run({"key": bytes.fromhex("302a300506032b6570032100") + key, "text": text, "sig": signature},
               *"openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig".split())
    if said not in ((0, "Signature Verified Successfully"), (1, "Signature Verification Failure")):
        raise Cannot("openssl failed (%d); it must be version 3: %.300s" % said)
    return said[0] == 0

# --- The form of a record.
def parse(data):  # JSON in which no member comes twice, with the members in the order of RFC 8785: by UTF-16 code units
    def members(pairs):
        need(len(dict(pairs)) == len(pairs), "a member comes twice")
        return dict(sorted(pairs, key=lambda pair: pair[0].encode("utf-16-be")))
    return json.loads(data.decode(), object_pairs_hook=members)
def canonical(v): return json.dumps(v, ensure_ascii=False, separators=(",", ":")).encode()  # the form of RFC 8785, of what parse gave
def exact(v, depth=-1):  # all numbers are whole and at most 2^53-1, and nothing is nested too deeply
    inner = v.values() if type(v) is dict else v if type(v) is list else ()
    return depth <= 128 and type(v) is not float and (type(v) is not int or abs(v) < 2**53) and all(exact(e, depth + 1) for e in inner)
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-%s[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TEXTS = {"journal": UUID % 4, "id": UUID % 7, "type": ".+", "boot_id": ".*", "run": ".*", "node": ".*", "prev": "[0-9a-f]{64}",
         "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"}
NUMBERS = {"v": 1, "seq": 1, "epoch": 0, "uptime_ms": 0}  # and the least that they may be
def record(line):
    need(len(line) <= 65535, "it is longer than a record may be")
    r = parse(line)
    if type(r) is dict and type(r.get("v")) is int and 1 < r["v"] < 2**53: raise Cannot("a newer release wrote a record, and has to judge it")
    need(type(r) is dict and r.keys() == {"crit", "data", *TEXTS, *NUMBERS}, "it has not the members of a record")
    need(all(type(r[n]) is str and re.fullmatch(form, r[n], re.ASCII | re.DOTALL) for n, form in TEXTS.items()), "a text has another form")
    need(all(type(r[n]) is int and r[n] >= least for n, least in NUMBERS.items()) and exact(r), "a number is not what it must be")
    need(type(r["crit"]) is bool and type(r["data"]) is dict and datetime.datetime.fromisoformat(r["time"][:19]), "crit or data is another type")
    need(canonical(r) == line, "it is not in the canonical form")
    return r

# --- Keys and signed notes.
def b64(text):
    raw = base64.b64decode(text, validate=True)
    need(base64.b64encode(raw).decode() == text, "base64 has one form")
    return raw
def keyhash(name, key): return hashlib.sha256(name.encode() + b"\n\1" + key).digest()[:4]
def public(text):  # name and raw bytes of a checkpoint key, NAME+HASH+KEY
    name, digits, key = re.fullmatch(r"([^\s+]+)\+([0-9a-fA-F]{8})\+(\S+)", text).groups()
    raw = b64(key)
    need(len(raw) == 33 and raw[0] == 1 and strong(raw[1:]) and digits.lower() == keyhash(name, raw[1:]).hex(), "it is no Ed25519 key")
    return name, raw[1:]
def note(data):  # the text of a signed note, and what tells whether a key has signed it under a name
    text, lines = re.fullmatch("((?:[^\0-\x1f]+\n)+)\n((?:\u2014 [^\\s+]+ \\S+\n){1,100})", data.decode()).groups()
    signatures = [(line.split(" ")[1], b64(line.split(" ")[2])) for line in lines.split("\n")[:-1]]
    need(len(data) <= 65536 and all(len(raw) > 4 for _, raw in signatures), "it is too long, or a signature too short")
    def by(name, key):  # a line that says so and does not verify is an error
        mine = [raw[4:] for n, raw in signatures if n == name and raw[:4] == keyhash(name, key)]
        need(not mine or signed(key, text.encode(), mine[0]), "a signature does not verify")
        return bool(mine)
    return text, by
def checkpoint(data):  # its journal and size, its root where that is known, and which keys have signed it in a line named by the origin
    text, by = note(data)
    origin, id, size, root = re.fullmatch("(edged/([^\n]+))\n([1-9][0-9]{0,17})\n([^\n]+)\n", text).groups()
    need(len(b64(root)) == 32, "it has no root")
    return types.SimpleNamespace(id=id, size=int(size), root=lambda n: root if n == int(size) else None, signers=lambda keys: [k for k in keys if by(origin, k)])
def rotation(journal, d):  # the keys of a statement that one checkpoint key is followed by another; both have signed it
    title, id, first, second, end = b64(d["statement"]).decode().split("\n")
    (name, old), (other, new) = public(first), public(second)
    need((title, id, end) == ("edged checkpoint key rotation", journal, "") and
         blake3(old, new) == d["old_key"] != d["new_key"] == blake3(new), "the statement is of something else")
    text, by = note(b64(d["statement"]) + b"\n" + b64(d["signature"]))
    need(text.encode() == b64(d["statement"]) and by(name, old) and by(other, new), "not both keys have signed the statement")
    return old, new

# --- A history: records that follow each other, and the epochs, keys and floors that they come to.
KINDS = """FingerprintCaptured UpdateDetected ManifestVerified OpApplied EpochRotated PrecheckFailed UpdateAbandoned LegacyStateAdopted SnapshotTaken
    ProjectionRepaired HeadRebuilt CertificateRotated DrillRequested DrillCancelled KeyRotated KeyReplaced ClockReset NodeRenamed JournalSalvaged""".split()
class History:
    id = node = serial = salvage = verified = doubt = baseline = seen = goal = None
    first, epoch, floor = 1, 0, ""
    manifest, successors, checkpoint = "", [], ""  # hashes of keys: of the last epoch, of those that follow it; of the one that signs
    def __init__(self, name, data):
        self.records, self.faults, self.keys, self.applied, self.epochs, self.rotations = [], [], {}, {}, [], []
        *lines, rest = data.split(b"\n")
        lines += [rest] if rest else []
        blake3(*lines)
        for n, line in enumerate(lines):
            try:
                r = record(line)
                self.id, self.first = (self.id, self.first) if n else (r["journal"], r["seq"])
                need(r["journal"] == self.id and r["seq"] == self.first + n, "it is of another journal, or not in its place")
                need(r["prev"] == (HASHES[lines[n - 1]] if n else "0" * 64) or n == 0 < self.first - 1, "its link to the record before is broken")
                self.records += [] if self.faults else [r]
            except (ValueError, RecursionError) as e:
                cut = rest and n == len(lines) - 1
                self.faults.append(("truncated" if cut else "rewritten", "%s: line %d: %s" % (name, n + 1, "cut short" if cut else e)))
        if not lines or rest and not self.faults:
            self.faults.append(("inconsistent" if lines else "truncated", "%s: %s" % (name, "no last line feed" if lines else "no record")))
        self.lines, self.size = lines[:len(self.records)], self.first - 1 + len(self.records)
        for r in self.records if self.first == 1 else ():
            v = r["data"].get("v")
            newer = r["type"] not in KINDS or type(v) is int and v > 1
            if newer and r["crit"] and not self.doubt: raise Cannot("%s: a newer release wrote record %d, and has to judge it" % (name, r["seq"]))
            try:
                need(newer or (type(v), v) == (int, 1), "its data has no version")
                self.doubt or self.step("" if newer else r["type"], r, r["data"])
            except FORM as e:
                self.doubt = "%s: record %d (%s): %s" % (name, r["seq"], r["type"], e)
    def root(self, size):  # of the Merkle tree of RFC 6962: what is left over at the end of a level moves up
        level = [hashlib.sha256(b"\0" + line).digest() for line in self.lines[:size]]
        while len(level) > 1:
            pairs = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
            level = pairs + level[2 * len(pairs):]
        return base64.b64encode(level[0]).decode()
    def step(s, kind, r, d):
        need(s.node in (None, r["node"]) and (kind != "NodeRenamed" or d["old"] == r["node"] and d["new"]), "it is of another node")
        need(kind != "JournalSalvaged" or r["seq"] == 1, "it may only be the first record")
        s.node = d["new"] if kind == "NodeRenamed" else r["node"]
        if kind == "FingerprintCaptured":
            same = d["composite_hash"] == s.baseline
            need({"initial": not (s.baseline or s.salvage), "match": same, "differs": not same}[d["role"]], "the system is not what it says")
            s.seen, s.baseline = (r["run"], d["composite_hash"]), d["composite_hash"] if d["role"] == "initial" else s.baseline
        elif kind == "LegacyStateAdopted": s.epoch, s.baseline = d["boot_epoch"], d["composite_hash"]
        elif kind == "UpdateDetected":
            need(s.seen == (r["run"], d["current_hash"]), "its run saw no such system")
            s.epoch, s.goal = max(s.epoch, d.get("epoch_floor", 0)), d["current_hash"]
        elif kind == "OpApplied": s.applied[d["index"]] = d
        elif kind == "ClockReset": s.floor = d["new"][:-1]
        elif kind == "JournalSalvaged":
            s.salvage, s.epoch, s.serial, s.floor = d, d["epoch"], d["serial"], d["time_floor"][:-1]
            s.manifest, s.checkpoint = d["manifest_key"], d.get("checkpoint_key", "")
        elif kind == "ManifestVerified":
            s.verify_manifest(d)
            s.applied = s.applied if s.verified and s.verified["manifest_hash"] == d["manifest_hash"] else {}
            s.verified = {**d, "run": r["run"]}
        elif kind == "EpochRotated":
            need((s.verified["run"], s.verified["manifest_hash"]) == (r["run"], d["manifest_hash"]), "its run verified no such manifest")
            need(d["boot_epoch"] == d["os_fingerprint"]["boot_epoch"] == s.epoch + 1, "the epoch before is %d" % s.epoch)
            need(d["os_fingerprint"]["composite_hash"] == s.goal, "the open update is to another system")
            done, asked = [s.applied[i] for i in sorted(s.applied)], parse(b64(s.verified["manifest"]))["operations"]
            need(len(done) == len(asked) and all(a["op"] == o["op"] and ("blake3" in a) == o["hash_pinned"] and a.get("blake3", o["blake3"]) == o["blake3"]
                 and ("/" + posixpath.normpath(a["dst"])).endswith("/" + o["dst"]) for a, o in zip(asked, done)), "applied is not what the manifest asks for")
            s.epochs.append((r, s.verified, done))
            s.epoch, s.manifest, s.floor, s.baseline = d["boot_epoch"], s.verified["key_blake3"], max(s.floor, r["time"][:-1]), s.goal
            s.serial = s.serial if d["manifest_serial"] is None else d["manifest_serial"]
            s.successors = s.successors[s.successors.index(s.manifest) + 1:] if s.manifest in s.successors else s.successors
            s.verified, s.applied = None, {}
        elif kind in ("KeyRotated", "KeyReplaced"):
            s.change_key(kind == "KeyRotated", d)
        need(r["epoch"] == s.epoch, "it says epoch %d, in force is %d" % (r["epoch"], s.epoch))
    def verify_manifest(self, d):  # against its signature, the keys in force, the serial, and what the record says of it
        text, key = b64(d["manifest"]), b64(d["key"])
        need(blake3(text, key) == d["manifest_hash"] and blake3(key) == d["key_blake3"] and signed(key, text, b64(d["signature"])),
             "the manifest is not signed by its key, or not the one that is named")
        need(not self.manifest or d["key_blake3"] in [self.manifest] + self.successors, "nothing leads to the key of the manifest")
        m = parse(text)
        need(m["version"] == "1" and m.get("serial") == d["serial"] and len(m["operations"]) == d["operations"] and
             (self.serial in (None, m.get("allow_rollback_from")) or m.get("serial", -1) >= self.serial), "the manifest says otherwise, or its serial goes back")
        self.keys[d["key_blake3"]] = key
    def change_key(self, rotated, d):
        newest = self.checkpoint if d["purpose"] == "checkpoint" else self.manifest and ([self.manifest] + self.successors)[-1]
        need(not rotated or newest in ("", d["old_key"]), "the rotation is not from the newest key")
        if d["purpose"] == "checkpoint":
            self.checkpoint, self.rotations = d["new_key"], self.rotations + ([rotation(self.id, d)] if rotated else [])
        elif rotated and d["old_key"] in self.keys:  # after a salvage it may never have been seen
            text = b64(d["statement"])
            new = b64(parse(text)["new_public"])
            says = {"journal": self.id, "new_key": d["new_key"], "new_public": base64.b64encode(new).decode(), "old_key": d["old_key"],
                    "purpose": "manifest", "type": "edged-key-rotation", "v": 1}
            need(canonical(says) == text and blake3(new) == d["new_key"] != d["old_key"] and strong(new) and
                 signed(self.keys[d["old_key"]], text, b64(d["signature"])), "the statement is of something else, or not signed by the old key")
            self.keys[d["new_key"]] = new
        self.successors = self.successors + [d["new_key"]] * (d["purpose"] == "manifest")

# --- What lies at a path, and in the files of a bundle.
def look(path):  # the files of a bundle, a folder or a tar archive, by name; or the bytes of anything else
    place = pathlib.Path(path)
    if place.is_dir():
        found = [f for f in place.rglob("*") if f.is_symlink() or not f.is_dir()]
        if not {place / "bundle.json", place / "B3SUMS"} <= {*found} or not all(f.is_file() and not f.is_symlink() for f in found):
            raise Cannot("%s is no unpacked bundle, or holds a link" % path)
        return {f.relative_to(place).as_posix(): f.read_bytes() for f in found}
    if not place.is_file(): raise Cannot("%s is no file" % path)
    data = place.read_bytes()
    if re.match(b"\\x28\xb5\x2f\xfd|.\\x2a\x4d\x18|\x1f\x8b|\xef\xbb\xbf|[^\n]*\r\n", data, re.DOTALL):
        raise Cannot("%s is compressed (zstd -d it), or was changed by a copy as text (copy it as bytes)" % path)
    if data[257:262] != b"ustar": return data
    members = tarfile.open(fileobj=io.BytesIO(data), mode="r:").getmembers()
    names, end = [m.name[6:] for m in members], members[-1].offset_data + -(-members[-1].size // 512) * 512
    if names != ["bundle.json", "B3SUMS"] + sorted({*names} - {"bundle.json", "B3SUMS"}) or end > len(data) or data[end:].strip(b"\0") or \
            not all(m.type in (b"0", b"\0") and not m.sparse and re.fullmatch(r"audit/[!-\[\]-~]{1,194}", m.name) and posixpath.normpath(m.name) == m.name
                    and (m.size <= 2**20 or m.name.endswith((".jsonl", "B3SUMS"))) for m in members):
        raise Cannot("%s is no sound bundle: it has other files, or another order, than a bundle has" % path)
    return {m.name[6:]: data[m.offset_data:m.offset_data + m.size] for m in members}
def lists(files):  # whether B3SUMS is the list of the other files and their hashes
    blake3(*files.values())
    return files["B3SUMS"] == b"".join(b"%s  %s\n" % (HASHES[files[n]].encode(), n.encode()) for n in sorted(files) if n != "B3SUMS")

def judge_files(files, histories):  # against their list, and against what the records say
    lists(files) or wrong("B3SUMS does not list exactly the files that are here, and their hashes")
    h, want, pick = histories[0], {}, lambda d, names: {n: d[n] for n in names.split() if n in d}
    about = {"journal": h.id, "node": h.records[-1]["node"], "events": h.size, "head": HASHES[h.lines[-1]], "signed": "checkpoint" in files}
    said = parse(files["bundle.json"])
    if pick(said, " ".join(about)) != about or not re.fullmatch("[a-z_]*", "".join(said)): wrong("bundle.json says otherwise than the records")
    for r, verified, operations in (e for a in histories for e in a.epochs):
        d, folder = r["data"], "epochs/%d/" % r["data"]["boot_epoch"]
        says = {"os_fingerprint": pick({**d["os_fingerprint"], **d}, "composite_hash os_release os_release_truncated uname_release boot_epoch captured_at"),
                **pick(d, "binary_hash config_hash rotated_at manifest_hash manifest_serial"),
                "operations": [pick(o, "index op src dst bytes blake3 mode hash_pinned already_in_place") for o in operations],
                "journal": {"id": r["journal"], "seq": r["seq"], "prev": r["prev"]}}
        says["journal"]["digest"] = blake3(canonical(parse(canonical(says))))
        want[folder + "evidence.json"] = json.dumps(says, indent=2, ensure_ascii=False).encode() + b"\n"
        want[folder + "manifest.json"], want[folder + "manifest.json.sig"] = b64(verified["manifest"]), b64(verified["signature"])
        want["keys/manifest-%s.pub" % verified["key_blake3"]] = b64(verified["key"])
    whole = not any(a.doubt or a.faults for a in histories)
    for name in sorted({*want, *files}):
        other = re.fullmatch(r"keys/manifest-([0-9a-f]{64})\.pub", name) and name in files and HASHES[files[name]] not in name
        if other or files.get(name) != want.get(name) and (name in want or whole and name.startswith("epochs/")):
            wrong("%s is not what the records, or its name, say" % name)
def ancestors(files, histories):  # adds the journals that this one continues; each must be what was kept, and have come to no more
    kept = {n for n in files if re.fullmatch(r"predecessor.*\.jsonl", n)}
    while histories[-1].salvage:
        after, name = histories[-1], "predecessor.jsonl" if len(histories) == 1 else "predecessor.%d.jsonl" % len(histories)
        if name not in kept: break
        kept.remove(name)
        s, before = after.salvage, History(name, files[name])
        histories.append(before)
        FOUND.extend(("inconsistent", what) for what in [what for _, what in before.faults] + [before.doubt] * bool(before.doubt))
        if not before.lines or (before.id, before.first, before.size, HASHES[before.lines[-1]]) != (s["predecessor"], 1, s["size"], s["last_hash"]):
            wrong("%s is not what journal %s says was kept" % (name, after.id))
        elif s["epoch"] < before.epoch or (before.serial or -1) > (s["serial"] or -1) or before.floor > s["time_floor"][:-1] or \
                before.checkpoint not in ("", s.get("checkpoint_key")) or ([before.manifest] + before.successors)[-1] not in ("", s["manifest_key"]):
            wrong("journal %s names a lower floor, or another key, than %s came to" % (after.id, name))
    for name in sorted(kept): wrong("%s: nothing here continues it" % name)

# --- The judgement.
def covers(seen, histories):  # whether the records of a checkpoint, or of another history, are here
    for h in (h for h in histories if h.id == seen.id and h.first == 1):
        n = min(seen.size, h.size)
        if seen.root(n) not in (None, h.root(n)):
            return wrong("the first %d records of journal %s are not those that were seen" % (n, h.id), "rewritten")
        return seen.size <= h.size or wrong("of %d records of journal %s here are %d" % (seen.size, h.id, h.size), "truncated")
    gone = any(h.id == seen.id or h.salvage and h.salvage["predecessor"] == seen.id for h in histories)
    wrong("what was seen is of journal %s, and nothing here continues it" % seen.id, "truncated" if gone else "rewritten")
def follow(keys, rotations):  # and those that rotations lead to from them
    for old, new in rotations:
        keys = keys + [new] if old in keys and new not in keys else keys
    return keys

def judge_checkpoint(files, histories, held):  # gives the keys that are believed for what was kept from before
    h, newest, rotations = histories[0], held[-1:], [pair for a in reversed(histories) for pair in a.rotations]
    if "checkpoint" in files:
        try:
            c = checkpoint(files["checkpoint"])
            need(c.id == h.id and covers(c, [h]) and c.size == h.size, "it is not over exactly these records")
            bundled = public(files["keys/journal-sign.pub"].decode().strip(" \t\r\n"))[1]
            newest = newest or follow([bundled], [pair[::-1] for pair in reversed(rotations)])
            in_force = [a.checkpoint for a in histories if a.checkpoint]
            signers = [k for k in c.signers(follow(newest, rotations)) if not in_force or blake3(k) == in_force[0]]
            need(signers and c.signers([bundled]), "it is not signed by the key that is held, or not by the one in force")
            say("signed by key %s%s" % (blake3(signers[0]), "" if held else ", which came with the bundle: it proves nothing about who signed"))
        except FORM as e:
            wrong("checkpoint: %s" % e)
    elif files and held or "keys/journal-sign.pub" in files:
        wrong("the bundle has no checkpoint that a key could have signed")
    return follow(held or newest, rotations)
def judge_since(path, histories, keys):  # gives what was kept, and the keys that have signed it
    found = look(path)
    try:
        files = found if type(found) is dict else {"records.jsonl": found} if found[:1] == b"{" else {"checkpoint": found}
        old = [History(n, files[n]) for n in sorted(files, reverse=True) if re.fullmatch(r"(records|predecessor.*)\.jsonl", n)]
        need(not any(a.faults or a.first > 1 for a in old) and (files is not found or lists(files)), "it is torn, damaged or not whole itself")
        c = checkpoint(files["checkpoint"]) if "checkpoint" in files else None
        need(not c or not old or (c.id, c.size, c.root(c.size)) == (old[0].id, old[0].size, old[0].root(c.size)), "its checkpoint is not over its records")
        signers = c.signers(keys) if c else []
    except FORM as e:
        raise Cannot("%s cannot be compared with: %s; name a checkpoint, a bundle or an export" % (path, e))
    if c and keys and not signers: wrong("the older checkpoint is not signed by a key that is held; name the older key first if it was replaced since")
    for seen in old or [c]: covers(seen, histories)
    return (old or [c])[0], signers

def judge(path, since, held):  # gives the verdict where nothing is wrong
    found, seen = look(path), None
    files = found if type(found) is dict else {}
    about = parse(files["bundle.json"]) if files else {"format": "edged-audit-bundle", "v": 1}
    if (about.get("format"), repr(about.get("v"))) != ("edged-audit-bundle", "1") or not files and found[:1] != b"{":
        raise Cannot("%s is neither an audit bundle of version 1 nor an export" % path)
    if files and "records.jsonl" not in files: return wrong("the bundle holds no records.jsonl")
    blake3(*files.values())
    histories = [h := History("records.jsonl", files["records.jsonl"] if files else found)]
    FOUND.extend(h.faults + [("inconsistent", h.doubt)] * bool(h.doubt) + [("truncated", "the first records are not here")] * (h.first > 1))
    if h.lines:
        say("journal %s: %d records, newest %s" % (h.id, len(h.lines), HASHES[h.lines[-1]]))
        if files: ancestors(files, histories), judge_files(files, histories)
        keys = judge_checkpoint(files, histories, held)
        seen, signers = judge_since(since, histories, keys) if since is not None else (None, [])
        if held and not files and not (signers and (seen.id, seen.size) == (h.id, h.size)):
            wrong("an export has no checkpoint: no key that is held has signed all of it")
    of_this = seen and seen.id == h.id
    return "extended" if of_this and seen.size < h.size else "salvaged" if h.salvage and not of_this else "intact"

def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who reads no further ends this, and gets no verdict
    try:
        options, (file,) = getopt.gnu_getopt(sys.argv[1:], "", ["since=", "key="])
        held = [public(pathlib.Path(path).read_bytes().decode().strip(" \t\r\n"))[1] for name, path in options if name == "--key"]
        verdict = judge(file, dict(options).get("--since"), held)
    except Exception as e:  # also what nobody thought of: no verdict comes of it
        print(__doc__, file=sys.stderr) if len(sys.argv) == 1 else say("CANNOT be checked: %s" % e, sys.stderr)
        return 2
    for worse, what in FOUND: say("WRONG (%s): %s" % (worse, what))
    say("verdict: %s" % ([v for v in ("rewritten", "truncated", "inconsistent") if v in dict(FOUND)] + [verdict])[0])
    return 1 if FOUND else 0
sys.exit(main())
