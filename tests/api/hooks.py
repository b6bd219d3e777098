"""Gives Schemathesis ids that exist and times that fit each other, and notes how every operation answered.

A schema cannot say that a person has consented or that one time comes after another. Requests that are meant to be wrong are
sent as they are, and so is every fourth of the others, so that ids that lead nowhere are tried as well.
"""

import atexit
import collections
import datetime
import itertools
import json
import os

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


def appointment(operation):
    booked = call("POST", "/v1/appointments", {**times(), "people": people()})["id"]
    if operation == "endAppointment":
        call("POST", f"/v1/appointments/{booked}/start")
    return booked


def ticket(consult):
    body = {"role": "patient", "person_id": "somebody", "display_name": "Somebody"}
    return call("POST", f"/v1/consults/{consult}/tickets", body)["id"]


def real_ids(operation, names):
    ids = {}
    if "person" in names:
        ids["person"] = consenting()[0]
    if "appointment" in names:
        ids["appointment"] = appointment(operation)
    if "consult" in names:
        ids["consult"] = call("POST", "/v1/consults", {})["id"]
    if "ticket" in names:
        ids["ticket"] = ticket(ids["consult"])
    return ids


def is_meant_to_succeed(case):
    return case.meta is not None and case.meta.generation.mode.is_positive and case.method == case.operation.method.upper()


@schemathesis.hook
def before_call(context, case, kwargs):
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
    if case.path_parameters and next(numbers) % 4:
        case.path_parameters.update(real_ids(operation, case.path_parameters))
    if operation in ("bookAppointment", "moveAppointment"):
        case.body.update(times())
    if operation == "bookAppointment":
        case.body["people"] = people()


@schemathesis.hook
def after_call(context, case, response):
    if case.method == case.operation.method.upper():
        answers[case.operation.definition.raw["operationId"]][str(response.status_code)] += 1


@atexit.register
def report():
    with open(REPORT, "w", encoding="utf-8") as file:
        json.dump(answers, file)
