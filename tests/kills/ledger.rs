//! What back ends were answered, held against what is in the database.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use sqlx::Row as _;
use sqlx::{AnyPool, any::AnyRow};

use crate::acts::Visit;

/// Requests for one thing.
#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    /// Those that were answered as done.
    done: usize,
    /// Those of which nobody knows.
    unknown: usize,
}

/// What was asked, by the action's name in the audit log and what it was about: a person's or a consult's id.
#[derive(Debug, Default)]
pub struct Ledger {
    asked: BTreeMap<(&'static str, String), Asked>,
    /// Tickets that were given out.
    pub tickets: Vec<String>,
    /// Tickets of which it was answered that they were taken back.
    pub revoked: Vec<String>,
}

impl Ledger {
    /// Something was done, was not, or nobody knows.
    pub fn note(&mut self, action: &'static str, about: &str, done: &Option<bool>) {
        let asked = self.asked.entry((action, about.to_owned())).or_default();
        match done {
            Some(true) => asked.done += 1,
            Some(false) => {}
            None => asked.unknown += 1,
        }
    }

    /// What was asked about `before` was about `now`.
    pub fn rename(&mut self, before: &str, now: &str) {
        let of_it: Vec<_> = self.asked.keys().filter(|(_, about)| about == before).cloned().collect();
        for key in of_it {
            let Some(found) = self.asked.remove(&key) else { continue };
            let asked = self.asked.entry((key.0, now.to_owned())).or_default();
            asked.done += found.done;
            asked.unknown += found.unknown;
        }
    }

    /// What somebody else was answered besides.
    pub fn add(&mut self, other: Self) {
        for (key, found) in other.asked {
            let asked = self.asked.entry(key).or_default();
            asked.done += found.done;
            asked.unknown += found.unknown;
        }
        self.tickets.extend(other.tickets);
        self.revoked.extend(other.revoked);
    }

    pub fn done(&self) -> usize {
        self.asked.values().map(|asked| asked.done).sum()
    }

    pub fn unknown(&self) -> usize {
        self.asked.values().map(|asked| asked.unknown).sum()
    }
}

/// An entry that says that something was done.
struct Entry {
    action: String,
    /// The consult, the person or the patient that it is about.
    about: String,
    consult: Option<String>,
    person: Option<String>,
    detail: Option<String>,
}

/// The tables, as they are in the end.
pub struct Found {
    entries: Vec<Entry>,
    /// id, whether it has ended
    consults: BTreeMap<String, bool>,
    /// consult, (state, beginning)
    appointments: BTreeMap<String, (String, i64)>,
    /// id, whether erased
    people: BTreeMap<String, bool>,
    /// person, whether withdrawn
    consents: BTreeMap<String, bool>,
    /// id, (consult, person, whether taken back)
    tickets: BTreeMap<String, (String, String, bool)>,
}

impl Found {
    pub async fn read(database: &AnyPool) -> Self {
        let all = async |query: &'static str| sqlx::query(query).fetch_all(database).await.expect(query);
        let text = |row: &AnyRow, at: usize| row.get::<String, _>(at);
        let is_set = |row: &AnyRow, at: usize| row.get::<Option<i64>, _>(at).is_some();
        let entries = all("SELECT action, consult_id, person_id, patient, detail FROM audit
             WHERE tenant = 'clinic' AND outcome = 'granted' ORDER BY nr");
        let entry = |row: &AnyRow| {
            let word = |at: usize| row.get::<Option<String>, _>(at);
            let about = word(1).or_else(|| word(2)).or_else(|| word(3)).unwrap_or_default();
            Entry { action: text(row, 0), about, consult: word(1), person: word(2), detail: word(4) }
        };
        let entries = entries.await.iter().map(entry).collect();
        let consults = all("SELECT id, ended_at FROM consults").await;
        let appointments = all("SELECT consult_id, state, starts_at FROM appointments").await;
        let people = all("SELECT id, erased_at FROM people").await;
        let consents = all("SELECT person, withdrawn_at FROM consents").await;
        let tickets = all("SELECT id, consult_id, person_id, revoked_at FROM tickets").await;
        Self {
            entries,
            consults: consults.iter().map(|row| (text(row, 0), is_set(row, 1))).collect(),
            appointments: appointments
                .iter()
                .map(|row| (text(row, 0), (text(row, 1), row.get::<i64, _>(2))))
                .collect(),
            people: people.iter().map(|row| (text(row, 0), is_set(row, 1))).collect(),
            consents: consents.iter().map(|row| (text(row, 0), is_set(row, 1))).collect(),
            tickets: tickets
                .iter()
                .map(|row| (text(row, 0), (text(row, 1), text(row, 2), is_set(row, 3))))
                .collect(),
        }
    }

    /// Everything that is not as it should be.
    pub fn faults(&self, ledger: &Ledger, visits: &[Visit]) -> Vec<String> {
        let mut faults = Vec::new();
        self.entries_are_what_was_asked(ledger, &mut faults);
        self.people_are_what_entries_say(&mut faults);
        self.visits_are_what_entries_say(&mut faults);
        self.tickets_are_what_entries_say(ledger, &mut faults);
        for visit in visits.iter().filter(|visit| !visit.starts_at_ms.is_empty()) {
            let found = self.appointments.get(&visit.consult).map(|(_, starts_at_ms)| *starts_at_ms);
            if !found.is_some_and(|found| visit.starts_at_ms.contains(&found)) {
                let known = &visit.starts_at_ms;
                faults.push(format!("{}: begins at {found:?}, answered was {known:?}", visit.consult));
            }
        }
        faults
    }

    /// As many entries as answers, and no more than requests.
    fn entries_are_what_was_asked(&self, ledger: &Ledger, faults: &mut Vec<String>) {
        let mut written: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for entry in &self.entries {
            *written.entry((entry.action.as_str(), entry.about.as_str())).or_default() += 1;
        }
        let actions: BTreeSet<&str> = ledger.asked.keys().map(|(action, _)| *action).collect();
        for (&(action, ref about), asked) in &ledger.asked {
            let written = written.get(&(action, about.as_str())).copied().unwrap_or_default();
            if written < asked.done {
                faults.push(format!("{action} {about}: {} answered, {written} entries", asked.done));
            }
        }
        for action in actions {
            // What was made and never answered for has an id that nobody knows.
            let nameless = ledger.asked.get(&(action, String::new())).map_or(0, |asked| asked.unknown);
            let surplus = |(&(_, about), &written): (&(&str, &str), &usize)| {
                let asked = ledger.asked.iter().find(|((a, b), _)| *a == action && b == about);
                let asked = asked.map(|(_, asked)| *asked).unwrap_or_default();
                written.saturating_sub(asked.done + asked.unknown)
            };
            let surplus: usize = written.iter().filter(|((a, _), _)| *a == action).map(surplus).sum();
            if surplus > nameless {
                faults.push(format!(
                    "{action}: {surplus} entries that nobody asked for, {nameless} unanswered"
                ));
            }
        }
    }

    fn people_are_what_entries_say(&self, faults: &mut Vec<String>) {
        let registered: BTreeSet<_> = self.about("person_registered").collect();
        same("people", self.people.keys().map(String::as_str), registered, faults);
        let gone = self.people.iter().filter(|(_, gone)| **gone).map(|(id, _)| id.as_str());
        same("erased people", gone, self.about("person_erased"), faults);
        let mut consents = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.action == "record_consent") {
            consents.insert(&entry.about, entry.detail.as_deref() == Some("withdrawn"));
        }
        same("consents", self.consents.iter().map(|(person, gone)| (person, *gone)), consents, faults);
    }

    fn visits_are_what_entries_say(&self, faults: &mut Vec<String>) {
        let booked: Vec<_> = self.about("book_appointment").collect();
        same("appointments", self.appointments.keys().map(String::as_str), booked.clone(), faults);
        let made = self.about("consult_created").chain(booked);
        same("consults", self.consults.keys().map(String::as_str), made, faults);
        let mut states: BTreeMap<&str, &str> = BTreeMap::new();
        let mut ended: BTreeSet<&str> = BTreeSet::new();
        for Entry { action, about, .. } in &self.entries {
            match action.as_str() {
                "book_appointment" | "move_appointment" => states.insert(about, "scheduled"),
                "confirm_appointment" => states.insert(about, "confirmed"),
                "cancel_appointment" => states.insert(about, "cancelled"),
                _ => None,
            };
            if matches!(action.as_str(), "cancel_appointment" | "consult_ended") {
                ended.insert(about);
            }
        }
        let found = self.appointments.iter().map(|(id, (state, _))| (id.as_str(), state.as_str()));
        same("states", found, states, faults);
        let over = self.consults.iter().filter(|(_, ended)| **ended).map(|(id, _)| id.as_str());
        same("ended consults", over, ended, faults);
    }

    fn tickets_are_what_entries_say(&self, ledger: &Ledger, faults: &mut Vec<String>) {
        let minted = self.entries.iter().filter(|entry| entry.action == "ticket_minted");
        let minted = minted.map(|entry| (entry.consult.as_deref(), entry.person.as_deref()));
        let given = self.tickets.values().map(|(consult, person, _)| (Some(&**consult), Some(&**person)));
        same("tickets", given, minted, faults);
        let is_running = |consult: &str| self.consults.get(consult) == Some(&false);
        let revoked = self.about("ticket_revoked").filter(|consult| is_running(consult));
        let gone = self.tickets.values().filter(|(consult, _, gone)| *gone && is_running(consult));
        same("tickets taken back", gone.map(|(consult, ..)| &**consult), revoked, faults);
        let missing = ledger.tickets.iter().filter(|id| !self.tickets.contains_key(*id));
        faults.extend(missing.map(|id| format!("ticket {id} was given out and is not there")));
        let good = ledger.revoked.iter().filter(|id| self.tickets.get(*id).is_some_and(|(.., gone)| !gone));
        faults.extend(good.map(|id| format!("ticket {id} was taken back and is good")));
    }

    fn about(&self, action: &str) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(move |entry| entry.action == action).map(|entry| entry.about.as_str())
    }
}

/// What is on one side more often than on the other.
fn same<T: Ord + Debug>(
    what: &str,
    rows: impl IntoIterator<Item = T>,
    entries: impl IntoIterator<Item = T>,
    faults: &mut Vec<String>,
) {
    let mut counts: BTreeMap<T, (u32, u32)> = BTreeMap::new();
    rows.into_iter().for_each(|row| counts.entry(row).or_default().0 += 1);
    entries.into_iter().for_each(|entry| counts.entry(entry).or_default().1 += 1);
    let differ = counts.into_iter().filter(|(_, (rows, entries))| rows != entries);
    faults.extend(
        differ.map(|(it, (rows, entries))| format!("{what}: {it:?}: {rows} rows, {entries} entries")),
    );
}
