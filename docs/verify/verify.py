# An endpoint that takes outcomes from the gateway and believes only what is signed. Needs nothing but Python 3.
#
#   SIGNING_SECRET=whsec_… python3 verify.py
import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Attempts are made and signed anew, so an older signature is a replay.
TOLERANCE_SECONDS = 5 * 60


def is_signed(secret, headers, body):
    """True when the gateway signed exactly this body, not long ago. body: the bytes as they came, before any JSON is parsed."""
    message_id = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp") or ""
    signatures = headers.get("webhook-signature")
    if not message_id or not (timestamp.isascii() and timestamp.isdigit()) or not signatures:
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # While a secret is replaced there are two signatures; one that fits is enough.
    return any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures.split(" "))


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_signed(os.environ["SIGNING_SECRET"], self.headers, body):
            self.answer(401, b"not signed by the gateway\n")
            return
        outcome = json.loads(body)
        # Store it under its webhook-id here, before the answer: the same one can come again.
        print(f"transaction {outcome.get('transaction_id')} is {outcome.get('status')}", flush=True)
        self.answer(200, b"thanks\n")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8091))), Endpoint).serve_forever()
