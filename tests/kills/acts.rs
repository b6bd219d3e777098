//! A back end that acts without pause, and remembers what it was answered.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use crate::{chance::Chance, ledger::Ledger, support::http};

/// How many times of a provider there are to be booked, so that back ends get in each other's way.
const TIMES: usize = 2_000;

/// A person whom a back end has made known.
struct Person {
    /// Of the EHR's.
    external: String,
    /// `None` until it was answered.
    id: Option<String>,
    consents: bool,
}

/// A visit as far as a back end knows.
pub struct Visit {
    pub consult: String,
    appointment: Option<String>,
    patient: usize,
    /// When it may begin: several where a move was not answered.
    pub starts_at_ms: Vec<i64>,
    tickets: Vec<String>,
    end_asked: bool,
}

/// What came of a request.
enum Outcome {
    Done(Value),
    Refused,
    /// No answer, or one that says that nobody knows.
    Unknown,
}

/// A back end.
pub struct BackEnd {
    number: usize,
    authorization: String,
    chance: Chance,
    first_day_ms: i64,
    people: Vec<Person>,
    registered: u32,
    pub visits: Vec<Visit>,
    pub ledger: Ledger,
}

impl BackEnd {
    pub fn new(number: usize, key: &str, first_day_ms: i64, chance: Chance) -> Self {
        let authorization = format!("Bearer {key}");
        let (people, visits, ledger) = (Vec::new(), Vec::new(), Ledger::default());
        Self { number, authorization, chance, first_day_ms, people, registered: 0, visits, ledger }
    }

    /// Does something.
    pub async fn act(&mut self, node: SocketAddr) {
        match self.chance.below(12) {
            0 => self.register_somebody(node).await,
            1 => self.read_or_erase_somebody(node).await,
            2 | 3 => self.book(node).await,
            4 => self.create_consult(node).await,
            5 | 6 => self.change_visit(node).await,
            7 => self.read_visit(node).await,
            8 | 9 => self.mint(node).await,
            10 => self.revoke(node).await,
            _ => self.end_consult(node).await,
        }
    }

    /// Asks after everybody who was never answered for, so that all ids are known.
    pub async fn settle(&mut self, node: SocketAddr) {
        for person in 0..self.people.len() {
            if self.people[person].id.is_none() {
                self.register(node, person).await;
            }
        }
        assert!(self.people.iter().all(|person| person.id.is_some()), "an idle node answers");
    }

    async fn register_somebody(&mut self, node: SocketAddr) {
        let again = (0..self.people.len()).rev().find(|person| self.people[*person].id.is_none());
        let person = again.unwrap_or_else(|| {
            self.registered += 1;
            let external = format!("ehr-{}-{}", self.number, self.registered);
            self.people.push(Person { external, id: None, consents: false });
            self.people.len() - 1
        });
        self.register(node, person).await;
        let Some(id) = self.people[person].id.clone() else { return };
        let path = format!("/v1/people/{id}/consents/telehealth");
        let given = self.ask(node, "PUT", &path, json!({})).await;
        self.ledger.note("record_consent", &id, &given.known());
        self.people[person].consents |= matches!(given, Outcome::Done(_));
    }

    async fn register(&mut self, node: SocketAddr, person: usize) {
        let external = self.people[person].external.clone();
        let registered = self.ask(node, "POST", "/v1/people", json!({"external_id": external})).await;
        if let Outcome::Done(answer) = &registered {
            let id = text(answer, "id");
            self.ledger.rename(&external, &id);
            self.people[person].id = Some(id);
        }
        let about = self.people[person].id.clone().unwrap_or(external);
        self.ledger.note("person_registered", &about, &registered.known());
    }

    async fn read_or_erase_somebody(&mut self, node: SocketAddr) {
        let Some((person, id)) = self.somebody_known() else { return };
        let path = format!("/v1/people/{id}");
        if !self.chance.once_in(8) {
            let read = self.ask(node, "GET", &path, json!({})).await;
            return self.ledger.note("person_read", &id, &read.known());
        }
        let erased = self.ask(node, "DELETE", &path, json!({})).await;
        self.ledger.note("person_erased", &id, &erased.known());
        // Whether they are gone or not: nothing more is asked about them, for their EHR's id may be another's by now.
        self.people.swap_remove(person);
        self.visits.iter_mut().for_each(|visit| {
            visit.patient = if visit.patient == person { usize::MAX } else { visit.patient };
            visit.patient = if visit.patient == self.people.len() { person } else { visit.patient };
        });
    }

    async fn book(&mut self, node: SocketAddr) {
        let consenting = (0..self.people.len()).rfind(|person| self.people[*person].consents);
        let Some(patient) = consenting else { return };
        let starts_at_ms = self.some_time();
        let body = json!({
            "starts_at": rfc3339(starts_at_ms), "ends_at": rfc3339(starts_at_ms + 600_000), "reason": "a cough",
            "people": [
                {"person_id": self.people[patient].external, "role": "patient"},
                // The same few for every back end. Each registers them, so that nobody comes about by a booking.
                {"person_id": self.provider(node).await, "role": "provider"},
            ],
        });
        let booked = self.ask(node, "POST", "/v1/appointments", body).await;
        let consult = booked.answer().map_or(String::new(), |answer| text(answer, "consult"));
        self.ledger.note("book_appointment", &consult, &booked.known());
        if let Outcome::Done(answer) = &booked {
            let appointment = Some(text(answer, "id"));
            self.remember(consult, appointment, patient, vec![starts_at_ms]);
        }
    }

    /// A provider's id of the EHR's, who is known by then.
    async fn provider(&mut self, node: SocketAddr) -> String {
        let external = format!("provider-{}", self.chance.below(3));
        let is_known = self.people.iter().any(|person| person.external == external && person.id.is_some());
        if !is_known {
            let known = self.people.iter().position(|person| person.external == external);
            let person = known.unwrap_or_else(|| {
                self.people.push(Person { external: external.clone(), id: None, consents: false });
                self.people.len() - 1
            });
            self.register(node, person).await;
        }
        external
    }

    async fn create_consult(&mut self, node: SocketAddr) {
        let created = self.ask(node, "POST", "/v1/consults", json!({})).await;
        let consult = created.answer().map_or(String::new(), |answer| text(answer, "id"));
        self.ledger.note("consult_created", &consult, &created.known());
        if matches!(created, Outcome::Done(_)) {
            self.remember(consult, None, usize::MAX, Vec::new());
        }
    }

    async fn change_visit(&mut self, node: SocketAddr) {
        let Some(visit) = self.some_visit(|visit| visit.appointment.is_some()) else { return };
        let appointment = self.visits[visit].appointment.clone().unwrap_or_default();
        let (change, action) = match self.chance.below(4) {
            0 | 1 => ("move", "move_appointment"),
            2 => ("confirm", "confirm_appointment"),
            _ => ("cancel", "cancel_appointment"),
        };
        let starts_at_ms = self.some_time();
        let body = match change {
            "move" => {
                json!({"starts_at": rfc3339(starts_at_ms), "ends_at": rfc3339(starts_at_ms + 600_000)})
            }
            _ => json!({}),
        };
        let path = format!("/v1/appointments/{appointment}/{change}");
        let changed = self.ask(node, "POST", &path, body).await;
        let visit = &mut self.visits[visit];
        self.ledger.note(action, &visit.consult, &changed.known());
        match (change, changed) {
            ("move", Outcome::Done(_)) => visit.starts_at_ms = vec![starts_at_ms],
            ("move", Outcome::Unknown) => visit.starts_at_ms.push(starts_at_ms),
            _ => {}
        }
    }

    async fn read_visit(&mut self, node: SocketAddr) {
        let Some(visit) = self.some_visit(|visit| visit.appointment.is_some()) else { return };
        let appointment = self.visits[visit].appointment.clone().unwrap_or_default();
        let read = self.ask(node, "GET", &format!("/v1/appointments/{appointment}"), json!({})).await;
        self.ledger.note("read_appointment", &self.visits[visit].consult, &read.known());
    }

    async fn mint(&mut self, node: SocketAddr) {
        let Some(visit) = self.some_visit(|_| true) else { return };
        let patient = match &self.visits[visit] {
            visit if visit.appointment.is_some() => Some(visit.patient),
            _ => self.somebody_known().map(|(person, _)| person),
        };
        let Some(person) = patient.and_then(|patient| self.people.get(patient)) else { return };
        let body = json!({"role": "patient", "person_id": person.external, "display_name": "Somebody"});
        let consult = self.visits[visit].consult.clone();
        let minted = self.ask(node, "POST", &format!("/v1/consults/{consult}/tickets"), body).await;
        self.ledger.note("ticket_minted", &consult, &minted.known());
        if let Outcome::Done(answer) = &minted {
            self.ledger.tickets.push(text(answer, "id"));
            self.visits[visit].tickets.push(text(answer, "id"));
        }
    }

    async fn revoke(&mut self, node: SocketAddr) {
        let Some(visit) = self.some_visit(|visit| !visit.tickets.is_empty()) else { return };
        let consult = self.visits[visit].consult.clone();
        // Each is taken back once at most, so that entries can be counted.
        let Some(ticket) = self.visits[visit].tickets.pop() else { return };
        let path = format!("/v1/consults/{consult}/tickets/{ticket}");
        let revoked = self.ask(node, "DELETE", &path, json!({})).await;
        self.ledger.note("ticket_revoked", &consult, &revoked.known());
        if matches!(revoked, Outcome::Done(_)) {
            self.ledger.revoked.push(ticket);
        }
    }

    async fn end_consult(&mut self, node: SocketAddr) {
        let direct = self.some_visit(|visit| visit.appointment.is_none() && !visit.end_asked);
        let Some(visit) = direct else { return };
        // Once at most: ending it again is answered and leaves no entry.
        self.visits[visit].end_asked = true;
        let consult = self.visits[visit].consult.clone();
        let ended = self.ask(node, "POST", &format!("/v1/consults/{consult}/end"), json!({})).await;
        self.ledger.note("consult_ended", &consult, &ended.known());
    }

    async fn ask(&self, node: SocketAddr, method: &str, path: &str, body: Value) -> Outcome {
        let headers = [("Authorization", self.authorization.as_str()), ("Content-Type", "application/json")];
        let answer = http::try_request(node, method, path, &headers, &body.to_string()).await;
        let Ok(answer) = answer else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            return Outcome::Unknown;
        };
        match answer.status {
            200..300 => Outcome::Done(serde_json::from_str(&answer.body).unwrap_or(Value::Null)),
            400..500 => Outcome::Refused,
            503 => Outcome::Unknown,
            _ => panic!("{method} {path}: {answer:?}"),
        }
    }

    fn remember(
        &mut self,
        consult: String,
        appointment: Option<String>,
        patient: usize,
        starts_at_ms: Vec<i64>,
    ) {
        let (tickets, end_asked) = (Vec::new(), false);
        self.visits.push(Visit { consult, appointment, patient, starts_at_ms, tickets, end_asked });
    }

    fn some_time(&mut self) -> i64 {
        self.first_day_ms + 600_000 * self.chance.below(TIMES) as i64
    }

    /// One of the newest, of which most are still open.
    fn some_visit(&mut self, is_good: impl Fn(&Visit) -> bool) -> Option<usize> {
        let good = (0..self.visits.len()).rev().filter(|visit| is_good(&self.visits[*visit]));
        let good: Vec<_> = good.take(8).collect();
        good.get(self.chance.below(good.len())).copied()
    }

    fn somebody_known(&mut self) -> Option<(usize, String)> {
        let is_patient = |person: &&Person| person.external.starts_with("ehr-");
        let known = self.people.iter().enumerate().filter(|(_, person)| is_patient(person));
        let known: Vec<_> = known.filter_map(|(at, person)| Some((at, person.id.clone()?))).collect();
        known.get(self.chance.below(known.len())).cloned()
    }
}

impl Outcome {
    fn answer(&self) -> Option<&Value> {
        match self {
            Self::Done(answer) => Some(answer),
            _ => None,
        }
    }

    /// Whether it was done; nothing where nobody knows.
    fn known(&self) -> Option<bool> {
        match self {
            Self::Done(_) => Some(true),
            Self::Refused => Some(false),
            Self::Unknown => None,
        }
    }
}

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_else(|| panic!("no {member} in {answer}")).to_owned()
}

fn rfc3339(ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(ms / 1000).expect("a time");
    at.format(&time::format_description::well_known::Rfc3339).expect("a text")
}
