#!/usr/bin/python3
"""A real SMTP server, aiosmtpd, that wants TLS and a login, and writes what it gets: a line of JSON a letter.

    mailbox.py starttls|tls CERT KEY LETTERS

Prints its port once it is ready. Debian's Python runs it: aiosmtpd is a package of Debian's (python3-aiosmtpd). The
first letter is refused once, as by a server that is busy."""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

mode, cert, key, letters = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(cert, key)


class Box:
    busy = True

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.busy:
            self.busy = False
            return "451 4.3.2 busy, try again"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        with open(letters, "a", encoding="ascii") as f:
            f.write(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos,
                                "user": session.auth_data.login.decode(),
                                "text": envelope.content.decode("ascii")}) + "\n")
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"ci", b"mailsecret0")
    return AuthResult(success=good, handled=good, auth_data=data)


async def main():
    box = Box()
    more = {"tls_context": context, "require_starttls": True} if mode == "starttls" else {"auth_require_tls": False}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, hostname="mail.test", authenticator=login, auth_required=True, **more), "127.0.0.1", 0,
        ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
