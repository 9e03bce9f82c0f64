"""The services that ostler/notify speaks to, as strict as they are: one server with all of them behind a path each.

Each checks what the real one checks: path, token, method, type, fields, their types, markup, and limits. What is
not as its manual says is answered as the real one would, and is a complaint, which fails the case."""

import hashlib
import hmac
import http.server
import json
import re
import threading

TOKEN = "12345:AAbb-CCdd_eeff"
SLACK_TOKEN = "xoxb-1-2-slacksecret"
HMAC_KEY = "It's a Secret to Everybody"

TELEGRAM_TAGS = re.compile(r"</?(?:b|i|code|pre)>|<a href=\"[^\"<>]*\">|</a>|&(?:lt|gt|amp|quot);")
MARKDOWN_V2 = re.compile(r"\\[_*\[\]()~`>#+\-=|{}.!\\]|[*_](?=.)|`[^`]*`|\[|\]\((?:[^)\\]|\\.)*\)|[^_*\[\]()~`>#+\-=|{}.!\\]", re.S)


def units(text):
    return len(text.encode("utf-16-le")) // 2


class Server:
    """URL/telegram, /slack, /discord, /mattermost, /hook; FAULTS is a list of (part of path, kind) that strike once each:
    a status, "hang", "cut"."""

    def __init__(self):
        self.faults, self.got, self.complaints, self.requests = [], [], [], 0
        self.release = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.answer(self)

            def do_GET(self):
                outer.complaints.append(f"GET {self.path}")
                self.send_error(405)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.release.set()
        self.http.shutdown()
        self.http.server_close()

    def complain(self, text):
        self.complaints.append(text)

    # -- the wire --

    def answer(self, r):
        self.requests += 1
        body = r.rfile.read(int(r.headers.get("Content-Length", "0")))
        for fault in self.faults:
            if fault[0] in r.path:
                self.faults.remove(fault)
                return self.strike(r, fault[1])
        if not (r.headers.get("Content-Type") or "").startswith("application/json"):
            self.complain(f"{r.path}: Content-Type {r.headers.get('Content-Type')}")
        try:
            data = json.loads(body.decode())
        except ValueError as e:
            self.complain(f"{r.path}: {e}: {body[:200]}")
            return self.reply(r, 400, {"error": "invalid_payload"})
        which = r.path.split("/")[1]
        status, answer = getattr(self, which)(r, data, body)
        if status == 200 or status == 202:
            self.got.append((which, data))
        return self.reply(r, status, answer)

    def strike(self, r, kind):
        if kind == "hang":
            self.release.wait(20)
            r.close_connection = True
        elif kind == "cut":
            r.close_connection = True
        elif kind == 429 and "telegram" in r.path:
            self.reply(r, 429, {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 1",
                                "parameters": {"retry_after": 1}})
        elif kind == 429 and "discord" in r.path:
            self.reply(r, 429, {"message": "You are being rate limited.", "retry_after": 0.3, "global": False})
        else:
            self.reply(r, kind, "trouble", {"Retry-After": "1"} if kind == 429 else {})

    @staticmethod
    def reply(r, status, answer, headers=None):
        text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        r.send_response(status)
        for name, value in (headers or {}).items():
            r.send_header(name, value)
        r.send_header("Content-Length", str(len(text)))
        r.end_headers()
        r.wfile.write(text)

    # -- what each of them holds requests against --

    def fields(self, who, data, allowed, required):
        for name in data:
            if name not in allowed:
                self.complain(f"{who}: unknown field '{name}'")
            elif not isinstance(data[name], allowed[name]):
                self.complain(f"{who}: '{name}' is {type(data[name]).__name__}")
        for name in required:
            if name not in data:
                self.complain(f"{who}: no '{name}'")

    def telegram(self, r, data, _body):
        if r.path != f"/telegram/bot{TOKEN}/sendMessage":
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        self.fields("telegram", data, {"chat_id": (str, int), "text": str, "parse_mode": str, "message_thread_id": int,
                                       "disable_notification": bool, "link_preview_options": dict},
                    ("chat_id", "text", "parse_mode"))
        if data["chat_id"] == "-404":
            return 400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}
        seen = data["text"]
        if data["parse_mode"] == "HTML":
            left = TELEGRAM_TAGS.sub("", seen)
            if re.search(r"[<>&]", left):
                return 400, {"ok": False, "error_code": 400, "description": f"can't parse entities: {left[:80]}"}
            for tag in "b", "i", "code", "pre", "a":
                if len(re.findall(f"<{tag}[ >]", seen)) != seen.count(f"</{tag}>"):
                    return 400, {"ok": False, "error_code": 400, "description": f"<{tag}> is not closed"}
            seen = TELEGRAM_TAGS.sub(lambda m: "x" if m[0][0] == "&" else "", seen)
        elif not re.fullmatch(f"(?:{MARKDOWN_V2.pattern})*", seen, re.S):
            return 400, {"ok": False, "error_code": 400, "description": "Character is reserved and must be escaped"}
        if units(seen) > 4096:
            return 400, {"ok": False, "error_code": 400, "description": "Bad Request: message is too long"}
        return 200, {"ok": True, "result": {"message_id": 100 + len(self.got), "chat": {"id": -1}}}

    def slack(self, r, data, _body):
        self.fields("slack", data, {"text": str, "channel": str, "thread_ts": str, "unfurl_links": bool}, ("text",))
        if re.search(r"&(?!amp;|lt;|gt;)", data["text"]) or re.search(r"<(?!https?://)", data["text"]):
            self.complain(f"slack: not escaped: {data['text']!r}")
        if units(data["text"]) > 40000:
            return 200, {"ok": False, "error": "msg_too_long"}
        if r.path == "/slack/chat.postMessage":
            if r.headers.get("Authorization") != f"Bearer {SLACK_TOKEN}":
                return 200, {"ok": False, "error": "invalid_auth"}
            return 200, {"ok": True, "channel": "C1", "ts": f"170.{len(self.got)}"}
        return (200, "ok") if r.path == "/slack/services/T0/B0/slackhook0" else (404, "no_service")

    def discord(self, r, data, _body):
        if r.path != "/discord/webhooks/7/discordhook0?wait=true":
            return 404, {"message": "Unknown Webhook", "code": 10015}
        self.fields("discord", data, {"content": str, "allowed_mentions": dict}, ("content", "allowed_mentions"))
        if data["allowed_mentions"] != {"parse": []}:
            self.complain("discord: somebody could be called")
        if units(data["content"]) > 2000:
            return 400, {"message": "Invalid Form Body", "code": 50035}
        return 200, {"id": f"9{len(self.got)}", "content": data["content"]}

    def mattermost(self, r, data, _body):
        if r.path != "/mattermost/hooks/matterhook0":
            return 400, {"id": "web.incoming_webhook.invalid.app_error", "message": "Invalid webhook.",
                         "status_code": 400}
        self.fields("mattermost", data, {"text": str, "channel": str}, ("text",))
        if units(data["text"]) > 16383:
            return 400, {"message": "too long"}
        return 200, "ok"

    def hook(self, r, data, body):
        wanted = "sha256=" + hmac.new(HMAC_KEY.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(r.headers.get("X-Hub-Signature-256", ""), wanted):
            return 403, "bad signature"
        if r.headers.get("X-Key") != "headersecret":
            self.complain("hook: no X-Key")
        return 202, ""

    # -- for cases --

    def of(self, which):
        return [data for name, data in self.got if name == which]
