"""An application that connects Instagram accounts through photopass: docs/backend.md as a program.

    RETURN_TO_ORIGINS=http://localhost:3000 make run
    pip install boto3 && python examples/backend/python/app.py
"""
import html
import json
import os
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

ORIGIN = os.environ.get("ORIGIN", "http://localhost:3000")  # ours, which RETURN_TO_ORIGINS lists
PHOTOPASS = os.environ.get("PHOTOPASS", "http://localhost:8080")
GRAPH = os.environ.get("GRAPH", "http://localhost:8090")  # with a real app: https://graph.instagram.com
FUNCTION = os.environ.get("TOKEN_FUNCTION", "TokenFunction")

# On AWS, region, credentials and endpoint come from the environment. Locally any credentials do.
local = {} if "TOKEN_FUNCTION" in os.environ else dict(
    endpoint_url=PHOTOPASS, region_name="eu-central-1", aws_access_key_id="local", aws_secret_access_key="local")
token_function = boto3.client("lambda", **local)

sessions = {}  # our own users; a real application has a database


class Refused(Exception):
    """What photopass answered: its code, such as "reconnect_required"."""

    def advice(self):
        """Says what the person can do. Only two codes require a login; the others are outages."""
        again = str(self) in ("reconnect_required", "not_found")
        return "<p>Please connect again.</p>" if again else "<p>Please try again in a minute.</p>"


def ask_photopass(**request):
    """Asks for a token by connect_code or by id. The answer holds the token: it must not get into a log."""
    out = token_function.invoke(FunctionName=FUNCTION, Payload=json.dumps(request))
    if "FunctionError" in out:  # such as a time-out: the payload is not photopass's
        raise RuntimeError("photopass did not answer")
    answer = json.load(out["Payload"])
    if "error" in answer:
        raise Refused(answer["error"]["code"])
    return answer


def posts(account_id):
    """Returns the captions of the account's posts."""
    account = ask_photopass(id=account_id)
    try:
        return call_instagram(account["access_token"])
    except urllib.error.HTTPError as e:
        if json.load(e)["error"]["code"] != 190:
            raise
    # Instagram does not accept the token: have photopass check it, and try once more.
    return call_instagram(ask_photopass(id=account_id, check=True)["access_token"])


def call_instagram(token):
    request = urllib.request.Request(GRAPH + "/me/media?fields=caption&limit=10", headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [post.get("caption", "") for post in json.load(answer)["data"]]


def home(key, session):
    body = ""
    if "account" in session:
        try:
            captions = "".join(f"<li>{html.escape(c)}</li>" for c in posts(session["account"]))
            body = f"<p>Connected: {html.escape(session['account'])}</p><ul>{captions}</ul>"
        except Refused as e:
            if str(e) == "not_found":  # the person has disconnected: forget what was theirs
                session.pop("account", None)
            body = e.advice()
    state = secrets.token_urlsafe()
    session["states"] = session["states"][-4:] + [state]
    return_to = f"{ORIGIN}/connected?state={state}"
    link = f"{PHOTOPASS}/authorize?{urllib.parse.urlencode({'return_to': return_to})}"
    secure = "; Secure" if ORIGIN.startswith("https:") else ""
    return 200, body + f'<p><a href="{html.escape(link)}">Connect Instagram</a></p>', {
        "Set-Cookie": f"app={key}; HttpOnly; SameSite=Lax; Path=/{secure}"}


def connected(session, query):
    state, code = query.get("state"), query.get("connect_code")
    used = state in session["used"]
    if not used and state not in session["states"]:
        return 400, "<p>This login was not begun here.</p>", {}
    session["used"].add(state)  # whatever comes
    if code and not used:  # a reload brings a used state
        try:
            session["account"] = ask_photopass(connect_code=code)["id"]
        except Refused as e:
            return 400, e.advice(), {}
    return 303, "", {"Location": "/"}  # without the code; after a refusal, too


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, body, headers = self.answer()
        except Exception as e:  # its text may quote the token
            print(type(e).__name__, file=sys.stderr)
            status, body, headers = 500, "<p>Something went wrong. Please try again in a minute.</p>", {}
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(f"<!doctype html><title>Example</title>{body}".encode())

    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        cookie = SimpleCookie(self.headers.get("Cookie")).get("app")
        key = cookie.value if cookie and cookie.value in sessions else secrets.token_urlsafe()
        # states: of the last five logins begun, as a person may have several tabs. used: those that came back.
        session = sessions.setdefault(key, {"states": [], "used": set()})
        if url.path == "/":
            return home(key, session)
        if url.path == "/connected":
            return connected(session, dict(urllib.parse.parse_qsl(url.query)))
        return 404, "<p>There is nothing here.</p>", {}

    def log_request(self, *_):
        pass  # the address of /connected holds a code


if __name__ == "__main__":
    port = urllib.parse.urlsplit(ORIGIN).port or 3000
    server = ThreadingHTTPServer(("localhost", port), App)
    print(f"Open {ORIGIN}/", flush=True)
    server.serve_forever()
