"""Webhooks and mail for finished requests, at least once, with growing pauses after a failure."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import time
import urllib.request
from email.message import EmailMessage

from . import server, settings
from .database import Database

POLL_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 30


def webhook(payload: dict[str, object]) -> None:
    """POST the event with its signature."""
    body = json.dumps(payload, sort_keys=True).encode()
    signature = hmac.new(settings.required("WEBHOOK_SECRET").encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "webhook-id": str(payload["id"]), "webhook-signature": signature}
    request = urllib.request.Request(settings.required("WEBHOOK_URL"), body, headers)
    urllib.request.urlopen(request, timeout=3).close()


def mail(payload: dict[str, object]) -> None:
    """Send the event as a message."""
    message = EmailMessage()
    message["From"], message["To"] = settings.required("SMTP_FROM"), settings.required("SMTP_TO")
    message["Subject"] = f"{payload['kind']} {payload['status']}"
    message.set_content(json.dumps(payload, sort_keys=True))
    host, port = settings.required("SMTP_HOST"), settings.number("SMTP_PORT")
    with smtplib.SMTP(host, port, timeout=3) as client:
        client.send_message(message)


CHANNELS = {"webhook": webhook, "mail": mail}


def run() -> None:
    """Deliver what is due, for ever."""
    database = Database("dalp-worker")
    while True:
        try:
            one_round(database)
        except Exception as error:
            server.log(f"deliveries wait: {type(error).__name__}: {str(error).strip()}")
        time.sleep(POLL_SECONDS)


def one_round(database: Database) -> None:
    """Try each due delivery once and record how it went."""
    due = database.rows("""select d.id, d.channel, d.attempts, r.id, r.kind, r.status, r.tx_hash
        from delivery d join transaction_request r on r.id = d.request_id
        where d.delivered_at is null and d.next_attempt_at <= now() order by d.id limit 20""")
    for number, channel, attempts, request, kind, status, tx_hash in due:
        payload = {"id": number, "request": request, "kind": kind, "status": status, "transactionHash": tx_hash}
        try:
            CHANNELS[channel](payload)
        except (OSError, smtplib.SMTPException, settings.SettingsError) as error:
            server.log(f"{channel} {number} failed: {error}")
            pause = FIRST_PAUSE_SECONDS * 2 ** min(attempts, 6)
            statement = """update delivery
                set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => %s)
                where id = %s returning id"""
            database.rows(statement, pause, number)
        else:
            database.rows("update delivery set attempts = attempts + 1, delivered_at = now() where id = %s returning id", number)
