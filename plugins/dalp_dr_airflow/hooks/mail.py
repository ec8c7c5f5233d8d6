"""Mail to the accountable team, by an SMTP connection of Airflow."""

from __future__ import annotations

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.errors import CallError


def send(conn_id: str, subject: str, html: str) -> tuple[str, ...]:
    """Sends one mail; returns whom the server took it for. Raises CallError when it was not taken.

    Recipients and sender are the connection's own: `to` (a list or one address) and `from_email` in its extra.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    extra = BaseHook.get_connection(conn_id).extra_dejson
    to = extra.get("to") or []
    recipients = tuple(str(address) for address in ([to] if isinstance(to, str) else to))
    if not recipients or not extra.get("from_email"):
        raise InputError(f"Connection {conn_id} names no recipients or no sender.", "Put `to` and `from_email` into its extra.")
    try:
        with SmtpHook(smtp_conn_id=conn_id) as hook:
            hook.send_email_smtp(to=list(recipients), subject=subject, html_content=html)
    except Exception as error:  # smtplib, ssl, socket and the provider's own, all of which mean: not told
        raise CallError(f"The mail was not taken by {conn_id}: {type(error).__name__}: {error}", "Look at the mail server.") from None
    return recipients
