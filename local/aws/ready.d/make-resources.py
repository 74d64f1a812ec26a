#!/usr/bin/env python3
"""Makes what the gateway keeps mail in: each request of resources.json is sent to the emulator, which runs this at every
start (it forgets everything when it stops). What is there already is left as it is. The bucket is the last: where it is
all is. Elsewhere: make-resources.py http://127.0.0.1:4566. Fails with the answer when a request is refused."""

import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

RESOURCES = os.environ.get("ELEMTA_RESOURCES", "/etc/elemta/resources.json")
EXISTS = ("ResourceInUseException", "QueueAlreadyExists", "QueueNameExists", "BucketAlreadyOwnedByYou", "TimeToLive is already enabled")


def send(endpoint, region, wanted):
    # Emulators choose the service by the scope of the credentials, and believe every signature.
    scope = "test/20260101/%s/%s/aws4_request" % (region, wanted["service"])
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=host, Signature=0" % scope,
        "X-Amz-Date": "20260101T000000Z",
        **wanted["headers"],
    }
    url = endpoint + wanted["path"]
    request = urllib.request.Request(url, wanted["body"].encode(), headers, method=wanted["method"])
    try:
        urllib.request.urlopen(request, timeout=60).read()
    except urllib.error.HTTPError as error:
        answer = error.read().decode(errors="replace")
        if not any(known in answer for known in EXISTS):
            raise RuntimeError("%s: %s %s" % (wanted["about"], error.code, answer))


def main():
    endpoint = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].startswith("http") else "http://localhost:4566"
    resources = json.loads(pathlib.Path(RESOURCES).read_text())
    for wanted in resources["requests"]:
        send(endpoint, resources["region"], wanted)
    print("elemta: %d resources are there" % len(resources["requests"]))


main()
