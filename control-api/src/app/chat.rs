//! The chat of a consult: lines are added, read and never changed.
//!
//! A line is sealed under the key of the patient whom the visit is about, whoever wrote it: erasing the patient makes all of it
//! unreadable. The patient of a consult without an appointment is who alone was given tickets to it as one; where that is nobody,
//! the line is sealed under the key of its author.

use std::{
    collections::{BTreeMap, btree_map},
    time::SystemTime,
};

use media_model::{ConsultId, ParticipantNumber, Pii, Role, TenantId};

use super::{ControlApi, Said, by, facts, new_entry_id};
use crate::{
    StoreError,
    audit::{Action, Entry, EntryId, StoredEntry, unix_ms},
    auth::Caller,
    ids::PersonId,
    keys::{Opened, Place, TenantKeys},
    permissions::{Act, Ground, Reason},
    problem::Problem,
    store::{self, TenantTx, chat_lines::Row},
};

/// Which lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// After the one of this number.
    pub after: i64,
    pub lines_max: i64,
}

/// A line, for whoever may read it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Also of its audit entry.
    pub id: EntryId,
    pub number: i64,
    pub at_ms: i64,
    pub person: PersonId,
    /// Their number in the consult, while it runs here.
    pub participant: Option<ParticipantNumber>,
    pub role: Role,
    /// Whose data it is.
    pub about: PersonId,
    /// Opened; `None` once that person was erased.
    pub text: Option<Pii<String>>,
}

/// A line that somebody wrote.
pub(super) struct NewLine<'a> {
    /// Also of its audit entry.
    pub id: EntryId,
    pub consult: ConsultId,
    pub person: PersonId,
    pub role: Role,
    pub at_ms: i64,
    pub text: &'a Pii<String>,
}

/// What became of a line.
pub(super) struct KeptLine {
    pub number: i64,
    pub about: PersonId,
    pub patient: Option<PersonId>,
    /// Whether its text is kept: of who was erased none is.
    pub has_text: bool,
}

/// Where a line's text is sealed.
fn text_of(tenant: TenantId, row: &str) -> Place<'_> {
    Place { tenant, table: "chat_lines", row, column: "text" }
}

impl ControlApi {
    /// Adds a line; nothing where consult or person are not known. It is in order: lines of a consult wait for each other here.
    pub(super) async fn keep_line(
        &self,
        act: &mut TenantTx,
        line: &NewLine<'_>,
    ) -> Result<Option<KeptLine>, StoreError> {
        let NewLine { id, consult, person, role, at_ms, text } = *line;
        let patient = store::tickets::patient_of(act, consult).await?;
        let about = patient.unwrap_or(person);
        let Some(whose) = store::people::load(act, about).await? else { return Ok(None) };
        let row = id.to_string();
        let place = text_of(act.tenant(), &row);
        let text = self.seal_unless_erased(act, about, &whose, &place, text).await?;
        let Some(number) = store::chat_lines::next_number(act, consult).await? else { return Ok(None) };
        let has_text = text.is_some();
        let row = Row { number, id: row, at_ms, person, role, about, text };
        store::chat_lines::insert(act, consult, &row).await?;
        Ok(Some(KeptLine { number, about, patient, has_text }))
    }

    /// Lines of a consult, the oldest first; that they were read is on disk before they are told.
    pub(crate) async fn read_chat(
        &self,
        caller: Caller,
        consult: ConsultId,
        part: Part,
    ) -> Result<Vec<Told>, Problem> {
        let mut tx = self.store.read(caller.tenant).await?;
        let relation = facts::to_consult(&mut tx, &caller, Act::ReadChat, consult).await?;
        let (mut tx, ground) = self.permit_on(tx, &caller, Act::ReadChat, &relation).await?;
        store::consults::find(&mut tx, consult).await?.ok_or(Problem::NotFound)?;
        let patient = store::tickets::patient_of(&mut tx, consult).await?;
        let rows = store::chat_lines::after(&mut tx, consult, part.after, part.lines_max).await?;
        let told = self.opened_lines(&mut tx, consult, rows).await?;
        drop(tx);
        let break_glass = ground.break_glass();
        let entry = by(&caller, Action::Asked(Act::ReadChat));
        let entry = Entry { patient, consult: Some(consult), break_glass, ..entry };
        self.note_read(caller.tenant, &entry).await?;
        Ok(told)
    }

    async fn opened_lines(
        &self,
        tx: &mut TenantTx,
        consult: ConsultId,
        rows: Vec<Row>,
    ) -> Result<Vec<Told>, StoreError> {
        let (tenant, mut people, mut numbers) = (tx.tenant(), BTreeMap::new(), BTreeMap::new());
        let mut told = Vec::with_capacity(rows.len());
        for Row { number, id, at_ms, person, role, about, text } in rows {
            let whose = match people.entry(about) {
                btree_map::Entry::Occupied(known) => known.into_mut(),
                btree_map::Entry::Vacant(place) => {
                    let whose = store::people::load(tx, about).await?;
                    place.insert(whose.ok_or(StoreError::Malformed("a person"))?)
                }
            };
            let text = match text {
                None => None,
                Some(sealed) => {
                    let open = |keys: &TenantKeys| {
                        keys.person(about, &whose.keys)?.open_text(&text_of(tenant, &id), &sealed)
                    };
                    self.vault.with_keys(tx, open).await.map(Opened::value)?
                }
            };
            let participant = *numbers.entry(person).or_insert_with(|| self.number_of(consult, person));
            let id = id.parse().map_err(|_| StoreError::Malformed("a line of chat's id"))?;
            told.push(Told { id, number, at_ms, person, participant, role, about, text });
        }
        Ok(told)
    }

    /// Adds a line of somebody who has a part in the visit; those who are present get it once it is kept.
    pub(crate) async fn write_chat(
        &self,
        caller: Caller,
        consult: ConsultId,
        text: Pii<String>,
    ) -> Result<Told, Problem> {
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_consult(&mut act, &caller, Act::WriteChat, consult).await?;
        let (mut act, ground) = self.permit_on(act, &caller, Act::WriteChat, &relation).await?;
        let (Some(person), Ground::Role(role)) = (caller.person_id(), ground) else {
            drop(act);
            return Err(self.refuse(&caller, Act::WriteChat, &relation, Reason::FactsDoNotFit).await?);
        };
        let found = store::consults::find(&mut act, consult).await?.ok_or(Problem::NotFound)?;
        if found.ended_at_ms.is_some() {
            return Err(Problem::ConsultEnded);
        }
        let (id, at) = (new_entry_id(), SystemTime::now());
        let line = NewLine { id, consult, person, role, at_ms: unix_ms(at), text: &text };
        let kept = self.keep_line(&mut act, &line).await?.filter(|kept| kept.has_text);
        let KeptLine { number, about, patient, .. } = kept.ok_or(Problem::NotFound)?;
        let by_id = Pii::new(person.to_string());
        let entry = by(&caller, Action::Asked(Act::WriteChat));
        let entry = Entry {
            patient,
            consult: Some(consult),
            person_id: Some(by_id.clone()),
            role: Some(role),
            ..entry
        };
        store::audit::insert(&mut act, &[StoredEntry::of(&entry, id)]).await?;
        let (at_ms, participant) = (line.at_ms, self.number_of(consult, person));
        let told = Told { id, number, at_ms, person, participant, role, about, text: Some(text.clone()) };
        let told = self.keep(act, &caller, told).await?;
        self.running.pass_on_chat(&Said { consult, id, person: &by_id, text: &text, at });
        Ok(told)
    }

    fn number_of(&self, consult: ConsultId, person: PersonId) -> Option<ParticipantNumber> {
        self.running.number_of(consult, &Pii::new(person.to_string()))
    }
}
