"""Verifies DKIM signatures with dkimpy, a verifier that shares nothing with Node.

usage: dkim_verify.py KEYS.json < list of message files, one a line
KEYS.json: {"selector._domainkey.domain": "v=DKIM1; ..."}. Prints a JSON line per file:
{"file": ..., "signatures": [{"domain": ..., "selector": ..., "ok": true}]}. Needs Debian's python3-dkim.
"""
import json
import sys

import dkim

with open(sys.argv[1], encoding="utf-8") as source:
    keys = {name.rstrip(".").lower(): value for name, value in json.load(source).items()}


def txt(name, timeout=5):
    value = keys.get((name.decode() if isinstance(name, bytes) else name).rstrip(".").lower())
    return value.encode() if value is not None else None


def signatures(message):
    count = sum(1 for name, _ in dkim.DKIM(message).headers if name.lower() == b"dkim-signature")
    for index in range(count):
        one = dkim.DKIM(message)
        try:
            ok, error = one.verify(idx=index, dnsfunc=txt), None
        except dkim.DKIMException as problem:
            ok, error = False, str(problem)
        fields = one.signature_fields
        yield {
            "domain": fields.get(b"d", b"").decode(),
            "selector": fields.get(b"s", b"").decode(),
            "ok": bool(ok),
            "error": error,
        }


for line in sys.stdin:
    path = line.rstrip("\n")
    with open(path, "rb") as source:
        print(json.dumps({"file": path, "signatures": list(signatures(source.read()))}), flush=True)
