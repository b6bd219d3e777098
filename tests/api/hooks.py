"""Gives Schemathesis ids that exist and times that fit each other, and notes how every operation answered.

A schema cannot say that a person has consented or that one time comes after another. Requests that are meant to be wrong are
sent as they are, and so is every fourth of the others, so that ids that lead nowhere are tried as well.
"""

import atexit
import collections
import contextlib
import datetime
import functools
import hashlib
import http.server
import itertools
import json
import os
import secrets
import sqlite3
import threading
import time

import requests
import schemathesis

URL = os.environ["CONSILIUM_URL"]
REPORT = os.environ["CONSILIUM_REPORT"]

KEY = os.environ["CONSILIUM_KEY"]
CLIENT_ID = os.environ["CONSILIUM_CLIENT_ID"]

back_end = requests.Session()
back_end.headers["Authorization"] = "Bearer " + KEY
numbers = itertools.count()
answers = collections.defaultdict(collections.Counter)


def call(method, path, body=None):
    response = back_end.request(method, URL + path, json=body, timeout=20)
    response.raise_for_status()
    return response.json() if response.content else None


def times():
    """Soon enough to be started; each booking has other people, so that none is in another's way."""
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1 + next(numbers) % 20)
    return {"starts_at": start.isoformat(), "ends_at": (start + datetime.timedelta(minutes=30)).isoformat()}


def consenting():
    external_id = f"patient-{next(numbers)}"
    person = call("POST", "/v1/people", {"external_id": external_id})["id"]
    call("PUT", f"/v1/people/{person}/consents/telehealth")
    return person, external_id


def people():
    _, patient = consenting()
    provider = f"provider-{next(numbers)}"
    return [{"person_id": patient, "role": "patient"}, {"person_id": provider, "role": "provider"}]


providers = {}


def appointment(operation):
    answer = call("POST", "/v1/appointments", {**times(), "people": people()})
    booked = answer["id"]
    providers[booked] = next(person["id"] for person in answer["people"] if person["role"] == "provider")
    providers[answer["consult"]] = providers[booked]
    if operation in ("endAppointment", "readSummary", "writeNotes"):
        call("POST", f"/v1/appointments/{booked}/start")
    if operation == "readSummary":
        call("POST", f"/v1/appointments/{booked}/end")
    if operation == "markNoShow":
        let_an_hour_pass(booked)
    return booked


def let_an_hour_pass(appointment):
    """Nobody waits for a patient who does not come; the database is in the folder that this runs in."""
    with contextlib.closing(sqlite3.connect("consilium.db", timeout=20)) as database, database:
        for table, column in (("appointments", "id"), ("appointment_people", "appointment")):
            earlier = f"UPDATE {table} SET starts_at = starts_at - 3600000, ends_at = ends_at - 3600000 WHERE {column} = ?"
            database.execute(earlier, (appointment,))


def consult(operation):
    """Somebody comes to a consult, and writes in it, who is booked for it."""
    if operation in ("writeChat", "joinConsult"):
        return call("GET", "/v1/appointments/" + appointment(operation))["consult"]
    return call("POST", "/v1/consults", {})["id"]


def ticket(consult):
    body = {"role": "patient", "person_id": "somebody", "display_name": "Somebody"}
    return call("POST", f"/v1/consults/{consult}/tickets", body)["id"]


class Provider(http.server.BaseHTTPRequestHandler):
    """Says where people sign in, and nothing more: nobody comes back from it."""

    def do_GET(self):
        issuer = f"http://127.0.0.1:{self.server.server_port}"
        endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        body = json.dumps({"issuer": issuer, **{name: f"{issuer}/{name}" for name in endpoints}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=provider.serve_forever, daemon=True).start()


@functools.cache
def tenant():
    """The tenant of dev mode; its people sign in from now on."""
    with contextlib.closing(sqlite3.connect("consilium.db", timeout=20)) as database, database:
        issuer = f"http://127.0.0.1:{provider.server_port}"
        columns = "tenant, issuer, client_id, mfa_required, mfa_acr, idle_s, changed_at"
        database.execute(f"INSERT INTO sign_in ({columns}) VALUES ('demo', ?, 'x', 0, '', 900, 0)", (issuer,))
    return "demo"


def issuer():
    tenant()
    return f"http://127.0.0.1:{provider.server_port}"


def signed_in(tenant_role=None, standing=None):
    """The cookie of somebody who signed in with a second factor: only its hash is kept."""
    person = call("POST", "/v1/people", {"external_id": f"signed-in-{next(numbers)}"})["id"]
    cookie = f"demo.{secrets.token_urlsafe(32)}"
    row = (hashlib.sha256(cookie.encode()).digest(), person, int(time.time() * 1000))
    with contextlib.closing(sqlite3.connect("consilium.db", timeout=20)) as database, database:
        roles = "UPDATE people SET tenant_role = ?, standing = ? WHERE id = ?"
        database.execute(roles, (tenant_role, standing, person))
        columns = "tenant, cookie_hash, person, mfa, signed_in_at, seen_at, idle_ms, expires_at"
        values = "'demo', ?1, ?2, 1, ?3, ?3, 900000, ?3 + 900000"
        database.execute(f"INSERT INTO sessions ({columns}) VALUES ({values})", row)
    return f"__Host-consilium_session={cookie}"


class AsPerson(requests.auth.AuthBase):
    """Asks with a cookie in the place of the key, which is looked at only where nothing else says who asks."""

    def __init__(self, cookie):
        self.cookie = cookie

    def __call__(self, request):
        request.headers.pop("Authorization", None)
        request.headers.update({"Cookie": self.cookie, "Origin": URL})
        return request


def client():
    """A back end that nobody calls by."""
    made = f"spare-{next(numbers):08x}"
    with contextlib.closing(sqlite3.connect("consilium.db", timeout=20)) as database, database:
        row = (made, secrets.token_bytes(32), int(time.time() * 1000))
        database.execute("INSERT INTO api_clients (tenant, id, secret_hash, created_at) VALUES ('demo', ?, ?, ?)", row)
    return made


def guest_link(booked):
    body = {"role": "observer", "display_name": "Somebody"}
    return call("POST", f"/v1/appointments/{booked}/guest-links", body)


def break_glass():
    """One that somebody else broke than whoever closes it."""
    body = {"patient": consenting()[0], "reason": "unconscious, allergies unknown"}
    nurse = AsPerson(signed_in(standing="nurse"))
    response = requests.post(URL + "/v1/break-glass", json=body, auth=nurse, timeout=20)
    response.raise_for_status()
    return response.json()["id"]


def identity(person):
    account = {"issuer": issuer(), "subject": f"subject-{next(numbers)}"}
    return call("POST", f"/v1/people/{person}/identities", account)["id"]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes no message, and wants no more: each is a dead letter at once."""

    def do_POST(self):
        self.send_response(410)
        self.end_headers()

    def log_message(self, *arguments):
        pass


receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()


lasting = set()


def webhook():
    """There may be no more than 32: the oldest make room."""
    for old in call("GET", "/v1/webhooks")["webhooks"][:-16]:
        if old["id"] not in lasting:
            back_end.delete(URL + "/v1/webhooks/" + old["id"], timeout=20)
    url = f"http://127.0.0.1:{receiver.server_port}/"
    return call("POST", "/v1/webhooks", {"url": url, "events": ["webhook.tested"]})["id"]


@functools.cache
def lasting_webhook():
    made = webhook()
    lasting.add(made)
    return made


@functools.cache
def dead_letter(webhook):
    """Sent again it is given up again, half a second later."""
    message = call("POST", f"/v1/webhooks/{webhook}/test")["message"]
    for _ in range(400):
        if call("GET", f"/v1/webhooks/{webhook}/dead-letters")["dead_letters"]:
            return message
        time.sleep(0.05)
    raise TimeoutError("the message is not given up")


def real_ids(operation, names):
    ids = {}
    if "person" in names:
        ids["person"] = consenting()[0]
    if "tenant" in names:
        ids["tenant"] = tenant()
    if "identity" in names:
        ids["identity"] = identity(ids["person"])
    if "appointment" in names:
        ids["appointment"] = appointment(operation)
    if "consult" in names:
        ids["consult"] = consult(operation)
    if "ticket" in names:
        ids["ticket"] = ticket(ids["consult"])
    if "guest_link" in names:
        ids["guest_link"] = guest_link(ids["appointment"])["id"]
    if "break_glass" in names:
        ids["break_glass"] = break_glass()
    if "webhook" in names:
        ids["webhook"] = webhook() if operation == "deleteWebhook" else lasting_webhook()
    if "client" in names:
        ids["client"] = client()
    if "message" in names:
        ids["message"] = dead_letter(ids["webhook"])
    return ids


# What nobody does by a key, and as what they are signed in who do it.
FOR_PEOPLE = {
    "readSession": {},
    "signOut": {},
    "setRoles": {"tenant_role": "admin"},
    "readOrigins": {"tenant_role": "admin"},
    "setOrigins": {"tenant_role": "admin"},
    "readDirectConsults": {"tenant_role": "admin"},
    "setDirectConsults": {"tenant_role": "admin"},
    "listClients": {"tenant_role": "admin"},
    "revokeClient": {"tenant_role": "admin"},
    "openBreakGlass": {"standing": "nurse"},
    "closeBreakGlass": {"tenant_role": "auditor"},
    "readHold": {"tenant_role": "auditor"},
    "setHold": {"tenant_role": "auditor"},
    "liftHold": {"tenant_role": "auditor"},
}


def is_meant_to_succeed(case):
    return case.meta is not None and case.meta.generation.mode.is_positive and case.method == case.operation.method.upper()


@schemathesis.hook
def before_call(context, case, kwargs):
    if (case.path_parameters or {}).get("client") == CLIENT_ID.partition(".")[2]:
        # A list leads to it, and everything after that would be refused.
        case.path_parameters["client"] = client()
    if not is_meant_to_succeed(case):
        return
    operation = case.operation.definition.raw["operationId"]
    if operation == "issueToken":
        # Every request has the key as bearer token by default; here it is the secret.
        kwargs["auth"] = (CLIENT_ID, KEY)
        case.body = {"grant_type": "client_credentials"}
        return
    if "Idempotency-Key" in (case.headers or {}):
        # The same made-up key would come again with another body.
        case.headers["Idempotency-Key"] = f"key-{next(numbers)}"
    # Nobody is known by an id that was made up.
    case.headers = {name: value for name, value in (case.headers or {}).items() if name != "On-Behalf-Of"}
    if case.path_parameters and next(numbers) % 4:
        case.path_parameters.update(real_ids(operation, case.path_parameters))
        if operation in ("endAppointment", "writeNotes"):
            case.headers["On-Behalf-Of"] = providers[case.path_parameters["appointment"]]
        if operation in ("writeChat", "joinConsult"):
            case.headers["On-Behalf-Of"] = providers[case.path_parameters["consult"]]
    if isinstance(case.body, dict) and case.body.get("follow_up_on"):
        case.body["follow_up_on"] = (datetime.date.today() + datetime.timedelta(days=14)).isoformat()
    if operation in FOR_PEOPLE:
        kwargs["auth"] = AsPerson(signed_in(**FOR_PEOPLE[operation]))
    if operation == "redeemGuestLink":
        case.body = {"code": guest_link(appointment(operation))["code"]}
    if operation == "createGuestLink":
        case.body.update({"role": "observer", "person_id": None})
    if operation in ("mintTicket", "joinConsult", "createGuestLink") and case.body.get("display_name") is None:
        # Whoever is known by no name has to be given one.
        case.body["display_name"] = "Somebody"
    if operation == "setOrigins":
        case.body["origins"] = [f"https://portal-{next(numbers)}.example"]
    if operation == "setDirectConsults":
        # What is tried out afterwards needs them.
        case.body["allowed"] = True
    if operation == "openBreakGlass":
        case.body["patient"] = consenting()[0]
    if operation == "linkIdentity":
        case.body["issuer"] = issuer()
    if operation in ("bookAppointment", "moveAppointment"):
        case.body.update(times())
    if operation == "bookAppointment":
        case.body["people"] = people()
    if operation == "createWebhook":
        webhook()
        case.body["url"] = f"http://127.0.0.1:{receiver.server_port}/"


@schemathesis.hook
def after_call(context, case, response):
    if case.method == case.operation.method.upper():
        answers[case.operation.definition.raw["operationId"]][str(response.status_code)] += 1


@atexit.register
def report():
    with open(REPORT, "w", encoding="utf-8") as file:
        json.dump(answers, file)
