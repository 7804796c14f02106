# A shop in Python that takes M-PESA: it asks for payments, receives their outcomes, and is safe to repeat. Needs nothing but
# Python 3.
#
#   BASE_URL=… API_KEY=… SIGNING_SECRET=whsec_… CALLBACK_BASE=https://shop.example.com STORE=shop.db python3 shop.py
#   curl -X PUT http://127.0.0.1:8000/orders/17 -d '{"phone":"254712345678","amount":150}'
#   curl http://127.0.0.1:8000/orders/17
import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Attempts are made and signed anew, so an older signature is a replay.
TOLERANCE_SECONDS = 5 * 60

ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 60


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


def open_store():
    """A connection of its own for each request, for each has a thread of its own."""
    store = sqlite3.connect(os.environ.get("STORE", "shop.db"), isolation_level=None, timeout=30)
    store.row_factory = sqlite3.Row
    return store


SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
  id TEXT PRIMARY KEY, phone TEXT NOT NULL, amount INTEGER NOT NULL, idempotency_key TEXT NOT NULL,
  transaction_id INTEGER, status TEXT NOT NULL DEFAULT 'waiting', handed_out INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS handled (webhook_id TEXT PRIMARY KEY);
"""


def read_order(store, order_id):
    row = store.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    return dict(row) if row else None


class Refused(Exception):
    """The gateway says what is wrong with the request, and has stored nothing of it."""


def request_payment(body, idempotency_key):
    """The transaction_id. Without an answer, and after 429, 500, 502, 503 and 504, the same is asked again: the key makes that safe."""
    for attempt in range(1, ATTEMPTS + 1):
        request = urllib.request.Request(
            os.environ["BASE_URL"] + "/api/v1/mpesa/stk_push",
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "X-API-KEY": os.environ["API_KEY"],
                "X-Idempotency-Key": idempotency_key,
            },
        )
        wait = 2 ** (attempt - 1) / 2
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["transaction_id"]
        except urllib.error.HTTPError as error:
            if error.code == 400:
                raise Refused(error.read().decode()) from error
            seconds = error.headers.get("Retry-After") or ""
            wait = int(seconds) if seconds.isascii() and seconds.isdigit() else wait
            if error.code not in (429, 500, 502, 503, 504) or attempt == ATTEMPTS or wait > LONGEST_WAIT_SECONDS:
                raise RuntimeError(f"HTTP {error.code}: {error.read().decode()}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if attempt == ATTEMPTS:
                raise RuntimeError(f"no answer: {error}") from error
        time.sleep(wait * (1 + random.random() / 4))


def order(store, order_id, wanted):
    """The order and its key are stored before the gateway is asked: whoever asks again, asks for the same payment."""
    inserted = store.execute(
        "INSERT OR IGNORE INTO orders (id, phone, amount, idempotency_key) VALUES (?, ?, ?, ?)",
        (order_id, wanted["phone"], wanted["amount"], str(uuid.uuid4())),
    )
    stored = read_order(store, order_id)
    body = {
        "phone": stored["phone"],
        "amount": stored["amount"],
        "reference": order_id,
        "callback_url": f"{os.environ['CALLBACK_BASE']}/payment_callback/{urllib.parse.quote(order_id, safe='')}",
    }
    try:
        transaction_id = request_payment(body, stored["idempotency_key"])
    except Refused:
        # Nothing is stored of what was asked for the first time: the order may be PUT again, corrected. Of one that was asked
        # for before, the payment may be there.
        if inserted.rowcount == 1:
            store.execute("DELETE FROM orders WHERE id = ?", (order_id,))
        raise
    store.execute("UPDATE orders SET transaction_id = ? WHERE id = ?", (transaction_id, order_id))
    return read_order(store, order_id)


def handle(store, order_id, webhook_id, is_test, outcome):
    """In one transaction: the outcome is known as handled exactly when the order has it. A success may follow a failure, never
    the other way round. For a test payment nothing is handed out."""
    is_paid = outcome["status"] == "successful" and not is_test
    store.execute("BEGIN IMMEDIATE")
    try:
        is_new = store.execute("INSERT OR IGNORE INTO handled VALUES (?)", (webhook_id,)).rowcount > 0
        stored = read_order(store, order_id)
        fits = (
            stored is not None
            and stored["amount"] == outcome["amount"]
            and stored["transaction_id"] in (None, outcome["transaction_id"])
        )
        if is_new and fits:
            store.execute(
                "UPDATE orders SET status = ?, handed_out = handed_out + ? WHERE id = ? AND status <> 'successful'",
                (outcome["status"], is_paid, order_id),
            )
        store.execute("COMMIT")
    except BaseException:
        store.execute("ROLLBACK")
        raise
    if not fits:
        # It is answered all the same, for it would come again as it is. Somebody must look: money may have been paid.
        transaction_id = outcome["transaction_id"]
        print(f"outcome {webhook_id} fits no order: order {order_id}, transaction {transaction_id}", file=sys.stderr, flush=True)


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        found = read_order(open_store(), self.order_id("orders"))
        self.answer(200 if found else 404, found or {})

    def do_PUT(self):
        order_id = self.order_id("orders")
        if order_id == "":
            self.answer(404, {})
            return
        try:
            self.answer(200, order(open_store(), order_id, json.loads(self.body())))
        except Refused as error:
            self.answer(400, {"error": str(error)})
        except RuntimeError as error:
            # The order stays as it is: PUT it again.
            self.answer(502, {"error": str(error)})

    def do_POST(self):
        body = self.body()
        if not is_signed(os.environ["SIGNING_SECRET"], self.headers, body):
            self.answer(401, {"error": "not signed by the gateway"})
            return
        order_id, is_test = self.order_id("payment_callback"), "x-gateway-test" in self.headers
        handle(open_store(), order_id, self.headers["webhook-id"], is_test, json.loads(body))
        self.answer(200, {})

    def order_id(self, kind):
        parts = self.path.split("/")
        return urllib.parse.unquote(parts[2]) if len(parts) == 3 and parts[1] == kind else ""

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_words):
        pass


if __name__ == "__main__":
    open_store().executescript(SCHEMA)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8000))), Shop).serve_forever()
