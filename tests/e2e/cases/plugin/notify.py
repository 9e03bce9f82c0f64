"""ostler/notify against strict doubles of the chats, and a real SMTP server."""

import contextlib
import email
import email.policy
import json
import pathlib
import subprocess

import chats
from case import case
from world import check


@contextlib.contextmanager
def services():
    s = chats.Server()
    try:
        yield s
        check(not s.complaints, "the services complain:\n  " + "\n  ".join(s.complaints))
    finally:
        s.close()


def secrets(s):
    """Options of a run: all the addresses and tokens."""
    found = {"TELEGRAM": chats.TOKEN, "SLACK": chats.SLACK_TOKEN, "SLACK_HOOK": f"{s.url}/slack/services/T0/B0/slackhook0",
             "DISCORD": f"{s.url}/discord/webhooks/7/discordhook0", "MATTERMOST": f"{s.url}/mattermost/hooks/matterhook0",
             "HOOK": f"{s.url}/hook/a?key=hooksecret0", "HMAC": chats.HMAC_KEY, "HEADER": "X-Key: headersecret",
             "OTHER": "hunter2hunter2"}
    return [x for name, value in found.items() for x in ("--secret", f"{name}={value}")]


def unseen(w, r):
    """No secret in what is shown and in what is kept."""
    everything = r.out + r.err + w.recorded()
    for text in (chats.TOKEN, "AAbb-CCdd", chats.SLACK_TOKEN, "slackhook0", "discordhook0", "matterhook0", "hooksecret0",
                 chats.HMAC_KEY, "headersecret", "hunter2hunter2"):
        check(text not in everything, f"'{text}' is to be seen\n{r}")


def step(name, inputs, **more):
    """A step with ostler/notify@v1, as a line of YAML, which JSON is."""
    return "- " + json.dumps({"name": name, "id": name, "uses": "ostler/notify@v1", "with": inputs, **more}) + "\n"


def hook(**more):
    return {"webhook-url": "${{ secrets.HOOK }}", "webhook-secret": "${{ secrets.HMAC }}",
            "webhook-headers": "${{ secrets.HEADER }}", **more}


def everybody(s, **more):
    return hook(**{"telegram-token": "${{ secrets.TELEGRAM }}", "telegram-chat": "-1001",
                   "telegram-api": f"{s.url}/telegram", "slack-webhook": "${{ secrets.SLACK_HOOK }}",
                   "slack-token": "${{ secrets.SLACK }}", "slack-channel": "#ci", "slack-api": f"{s.url}/slack",
                   "discord-webhook": "${{ secrets.DISCORD }}", "mattermost-webhook": "${{ secrets.MATTERMOST }}", **more})


AFTER = "- {name: after, run: 'echo \"<${{ steps.tell.outputs.sent }} ${{ steps.%s.outputs.failed }}>\"'}\n"


@case()
def everybody_is_told_in_his_own_markup(w):
    """What could be markup, a mention or JSON in a value is text; a secret in a message is masked."""
    with services() as s:
        build = {"id": "build", "env": {"V": "<b>*_`[x](y) @here 1.0! \\"}, "run": 'echo "v=$V" >> "$GITHUB_OUTPUT"'}
        message = ("**Built** {{ steps.build.outputs.v }} in [run {{ run.number }}]({{ run.url }}), `x` "
                   "${{ secrets.OTHER }}")
        flow = w.steps(f"- {json.dumps(build)}\n"
                       + step("tell", everybody(s, message=message)) + AFTER % "tell")
        r = w.run(flow, *secrets(s), code=0)
        r.says("<6 0>", step="after").says("Telegram chat -1001 has been told: message 100", step="tell")
        check(s.of("telegram")[0]["text"].startswith("<b>Built</b> &lt;b&gt;*_`[x](y) @here 1.0! "), str(s.got))
        check("*** " not in s.of("telegram")[0]["text"] and s.of("telegram")[0]["text"].endswith("</code> ***"), str(s.got))
        check(len(s.of("slack")) == 2 and s.of("slack")[0]["text"].startswith("*Built* &lt;b&gt;"), str(s.got))
        check("\\<b\\>\\*\\_\\`\\[x\\]\\(y\\)" in s.of("discord")[0]["content"], str(s.got))
        check("@\u200bhere" in s.of("mattermost")[0]["text"], str(s.got))
        check(s.of("hook")[0]["status"] == "success" and "<b>*_`[x](y)" in s.of("hook")[0]["text"], str(s.got))
        unseen(w, r)


@case()
def trouble_of_one_is_not_the_others(w):
    """429 with the time in a body or a header, 500, a cut line and a service that hangs; a wrong token for good."""
    with services() as s:
        s.faults = [("telegram", 429), ("discord", 429), ("slack/services", 429), ("chat.postMessage", 500),
                    ("mattermost", "cut"), ("hook", "hang")]
        wrong = {"telegram-token": "999:wrongwrongwrong", "telegram-chat": "-1", "telegram-api": f"{s.url}/telegram",
                 "slack-webhook": f"{s.url}/slack/services/wrongwrong", "fail-on-error": True,
                 "mattermost-webhook": "${{ secrets.MATTERMOST }}"}
        flow = w.steps(step("tell", everybody(s, timeout=2)) + step("wrong", wrong, **{"continue-on-error": True})
                       + AFTER % "wrong")
        r = w.run(flow, *secrets(s), code=0)
        r.says("<6 2>", step="after").says("Telegram chat -1 could not be told: it answered 401: Unauthorized",
                                          "404: no_service", "2 of 3 targets could not be told", step="wrong")
        r.never_says("wrongwrong", step="wrong")
        check(not s.faults, f"these never struck: {s.faults}")
        unseen(w, r)


@case()
def it_is_said_at_the_end_and_only_if_asked(w):
    """At the end of a job that fails before the step's turn; with the failed step and the time it took."""
    with services() as s:
        def tell(when, at):
            body = {"when": f"{when}-{at}", "s": "{{ status }}", "f": "{{ failed.step }}", "d": "{{ duration }}"}
            return step(f"{when}-{at}", hook(**{"at": at, "when": when, "webhook-body": json.dumps(body)}))
        flow = w.steps(tell("always", "now") + "- {id: bad, run: exit 3}\n" + tell("always", "end")
                       + tell("failure", "end") + tell("success", "end"))
        r = w.run(flow, *secrets(s), code=1)
        told = {d["when"]: (d["s"], d["f"]) for d in s.of("hook")}
        r.equal("who was told what", told, {"always-now": ("success", ""), "always-end": ("failure", "bad"),
                                            "failure-end": ("failure", "bad")})
        check(all(d["d"].endswith(" s") for d in s.of("hook")), str(s.got))
        unseen(w, r)


@case()
def it_is_said_when_it_changes_and_not_too_often(w):
    with services() as s:
        def flow(how, code):
            return w.steps(f"- {{run: exit {code}}}\n" + step("tell", {"mattermost-webhook": "${{ secrets.MATTERMOST }}", **how},
                                                             **{"if": "always()"}))
        w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
        change, hourly = {"when": "change"}, {"every": "1h"}
        for how, code, n in ((change, 0, 1), (change, 0, 1), (change, 1, 2), (change, 0, 3), (hourly, 0, 4), (hourly, 0, 4),
                             (hourly, 1, 5)):
            r = w.run(flow(how, code), *secrets(s), code=code)
            r.equal(f"how often after '{how}' and {code}", len(s.of("mattermost")), n)


@case()
def a_plan_says_who_would_be_told_and_asks_nobody(w):
    with services() as s:
        w.steps(step("tell", everybody(s, message="Hello {{ repository }}")))
        r = w.ostler_call("run", "--plan", *secrets(s)).exits(0)
        r.shows("tell.*Telegram chat -1001.*Hello .repository.", "tell.*Slack channel #ci", "tell.*webhook 127.0.0.1")
        check(s.requests == 0, f"{s.requests} requests were made")
        for text in (chats.TOKEN, "slackhook0", chats.HMAC_KEY):
            check(text not in r.out + r.err, f"'{text}' is in the plan\n{r}")


@case()
def a_cancelled_job_does_not_wait_for_a_service_that_hangs(w):
    with services() as s:
        s.faults = [("mattermost", "hang")]
        flow = w.steps(step("tell", {"mattermost-webhook": "${{ secrets.MATTERMOST }}", "timeout": 600}))
        run = w.start(flow, *secrets(s))
        run.wait_for('"event":"step.started"')
        for _ in range(200):
            if s.requests:
                break
            run._pump(0.05)
        run.send(2)
        r = run.finish(15)
        r.took_less(12)
        check(r.code != 0, str(r))


# ---- mail ----

@contextlib.contextmanager
def mailbox(folder, mode):
    """Its port, its certificate, and a function for the letters that it got."""
    cert, key, letters = folder / "mail.crt", folder / "mail.key", folder / f"{mode}.letters"
    if not cert.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    script = pathlib.Path(chats.__file__).parent / "mailbox.py"
    server = subprocess.Popen(["/usr/bin/python3", "-B", script, mode, cert, key, letters], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        check(port, "mailbox.py did not start: is python3-aiosmtpd there?")
        yield port, cert, lambda: [json.loads(x) for x in letters.read_text().splitlines()] if letters.exists() else []
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def letter(name, port, mode, **more):
    inputs = {"mail-to": "Ann <ann@b.test>\nbob@b.test", "mail-from": "Die CI \u00fc <ci@b.test>",
              "mail-server": f"127.0.0.1:{port}", "mail-user": "ci", "mail-password": "${{ secrets.MAIL }}",
              "mail-ca": "ca.pem", "mail-tls": mode, "title": "\u274c {{ workflow }} {{ status.words }}",
              "message": "**Built** <&> [here](https://x.test)\n.\nend", **more}
    return step(name, {k: v for k, v in inputs.items() if v})


@case()
def mail_is_sent_by_a_real_server(w):
    """STARTTLS and TLS, with a login and a private CA; without the CA, with a wrong password: one clear error each."""
    for mode in ("starttls", "tls"):
        with mailbox(w.root, mode) as (port, cert, letters):
            ca = {"env": {"CA": cert.read_text()}, "run": "printf %s \"$CA\" >ca.pem"}
            flow = w.steps(f"- {json.dumps(ca)}\n" + letter("good", port, mode) + letter("stranger", port, mode, **{"mail-ca": ""})
                           + letter("wrong", port, mode, **{"mail-password": "${{ secrets.WRONG }}"}))
            # The server is still there after the run: it is the case's own.
            run = w.start(flow, "--secret", "MAIL=mailsecret0", "--secret", "WRONG=wrongsecret0")
            r = run.finish().exits(0)
            w.sane(r)
            r.says("mail to Ann <ann@b.test> and 1 more has been told: message <ostler.", step="good")
            r.says("certificate", "'mail-ca'", step="stranger")
            r.says("the server refuses 'mail-user' and 'mail-password'", step="wrong")
            check("mailsecret0" not in r.out + r.err + w.recorded(), f"the password is to be seen\n{r}")
            r.equal("how many letters", len(letters()), 1)
            got, = letters()
            m = email.message_from_string(got["text"], policy=email.policy.default)
            r.equal("envelope", (got["from"], got["to"], got["user"]), ("ci@b.test", ["ann@b.test", "bob@b.test"], "ci"))
            check(m["Subject"].startswith("\u274c ") and m["Subject"].endswith(" succeeded"), m["Subject"])
            r.equal("from and to", (str(m["From"]), str(m["To"])),
                    ("Die CI \u00fc <ci@b.test>", "Ann <ann@b.test>, bob@b.test"))
            plain, html = m.get_body(("plain",)).get_content(), m.get_body(("html",)).get_content()
            r.equal("text", plain.replace("\r\n", "\n"), "Built <&> here (https://x.test)\n.\nend\n")
            check("<b>Built</b> &lt;&amp;&gt; <a href=\"https://x.test\">here</a>" in html, html)
