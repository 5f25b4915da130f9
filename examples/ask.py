"""Ask the concierge from an app service: a token the service signs, a transaction, one SQL call.

    python examples/ask.py "What should I see next?" --event hearth-beam-2027 --tenant demo --as maria-alvarez

DATABASE_URL says where; the login is a member of concierge_app. CONCIERGE_KEY_ID and CONCIERGE_KEY (hex) are the key that
access.create_token_key(key_id, secret) told the database.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import time
import uuid

import psycopg


def signed_token(tenant: str, subject: str, key_id: str, key: bytes, lifetime: int = 300) -> str:
    """An HS256 JSON web token (RFC 7519) that says who asks, for `lifetime` seconds."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    header = {"alg": "HS256", "typ": "JWT", "kid": key_id}
    claims = {"tenant": tenant, "sub": subject, "exp": int(time.time()) + lifetime}
    body = encode(json.dumps(header).encode()) + "." + encode(json.dumps(claims).encode())
    return body + "." + encode(hmac.new(key, body.encode(), hashlib.sha256).digest())


def ask(connection: psycopg.Connection, token: str, question: str, event: str, contractor: str) -> dict:
    """The answer with its citations. The token counts for this transaction alone, so a pooled connection is safe."""
    with connection.transaction():
        connection.execute("select access.sign_in(%s)", [token])
        (conversation,) = connection.execute(
            "select chat.open(event_id => event.event_id(%s), contractor_id => contractor.contractor_id(%s))",
            [event, contractor],
        ).fetchone()
        (turn,) = connection.execute(
            "select chat.ask(%s, %s, %s)", [conversation, question, str(uuid.uuid4())]
        ).fetchone()
        (told,) = connection.execute("select chat.turn(%s)", [turn]).fetchone()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question")
    parser.add_argument("--event", required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--as", dest="subject", required=True)
    options = parser.parse_args()

    token = signed_token(
        options.tenant, options.subject, os.environ["CONCIERGE_KEY_ID"], bytes.fromhex(os.environ["CONCIERGE_KEY"])
    )
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        try:
            reply = ask(connection, token, options.question, options.event, options.subject)
        except psycopg.Error as error:
            raise SystemExit(f"{error.sqlstate}: {error.diag.message_primary} ({error.diag.message_hint})")
    print(reply["answer"])


if __name__ == "__main__":
    main()
