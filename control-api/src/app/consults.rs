//! Creating and ending consults.

use media_model::ConsultId;

use super::{ControlApi, by, facts, now_ms, random_bytes, record};
use crate::{
    audit::{Action, Entry},
    auth::Caller,
    permissions::Act,
    problem::Problem,
    store::{self, Consult},
    webhooks::{Event, EventKind},
};

/// What a back end may choose about a consult.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NewConsult {
    /// Whether patients and guests wait until staff lets them in.
    pub waiting_room: bool,
}

impl ControlApi {
    pub(crate) async fn create_consult(&self, caller: Caller, new: NewConsult) -> Result<Consult, Problem> {
        let now_ms = now_ms();
        let consult = Consult {
            id: ConsultId::from_bytes(random_bytes()),
            waiting_room: new.waiting_room,
            created_at_ms: now_ms,
            ended_at_ms: None,
        };
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_direct_consults(&mut act).await?;
        let mut act = self.permit_in(act, &caller, Act::CreateConsult, &relation).await?;
        store::consults::insert(&mut act, &consult).await?;
        let entry = Entry { consult: Some(consult.id), ..by(&caller, Action::ConsultCreated) };
        record(&mut act, &entry).await?;
        let event = Event { consult: Some(consult.id), ..Event::of(EventKind::ConsultCreated) };
        self.tell(&mut act, &event, now_ms).await?;
        self.keep(act, &caller, consult).await
    }

    /// Ends a consult for good and sends everyone home. Ending it again changes nothing.
    pub(crate) async fn end_consult(&self, caller: Caller, id: ConsultId) -> Result<Consult, Problem> {
        let now_ms = now_ms();
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_consult(&mut act, &caller, Act::EndConsult, id).await?;
        let mut act = self.permit_in(act, &caller, Act::EndConsult, &relation).await?;
        let is_new = store::consults::set_ended(&mut act, id, now_ms).await?;
        let consult = store::consults::find(&mut act, id).await?.ok_or(Problem::NotFound)?;
        if is_new {
            store::tickets::revoke_all(&mut act, id, now_ms).await?;
            let patient = store::tickets::patient_of(&mut act, id).await?;
            let entry = Entry { consult: Some(id), patient, ..by(&caller, Action::ConsultEnded) };
            record(&mut act, &entry).await?;
            let event = Event { consult: Some(id), ..Event::of(EventKind::ConsultEnded) };
            self.tell(&mut act, &event, now_ms).await?;
        }
        let consult = self.keep(act, &caller, consult).await?;
        self.running.end(id);
        Ok(consult)
    }
}
