//! Minting and revoking tickets.

use std::time::Duration;

use media_model::{ConsultId, Pii, Role};
use signaling_protocol::ticket::{self, Glass, TicketId};

use super::{ControlApi, by, facts, now, now_ms, random_bytes, record};
use crate::{
    StoreError,
    audit::{Action, Entry, Object},
    auth::Caller,
    ids::PersonId,
    permissions::Act,
    problem::Problem,
    store::{self, TenantTx, Ticket},
};

/// For whom a ticket is asked, already checked against the limits.
#[derive(Debug, Clone)]
pub struct NewTicket {
    /// Into which consult.
    pub consult: ConsultId,
    /// As what.
    pub role: Role,
    /// Who, by the EHR's opaque identifier.
    pub person_id: Pii<String>,
    /// What the others see; nothing for the name by which they are known.
    pub display_name: Option<Pii<String>>,
    /// How long the ticket opens the door.
    pub lifetime: Duration,
}

/// Whom a ticket names, already known.
pub(super) struct Holder {
    pub person: PersonId,
    pub role: Role,
    pub display_name: Pii<String>,
    pub lifetime: Duration,
    /// Whether they wait until staff lets them in.
    pub waits: bool,
    /// What they broke to come in.
    pub glass: Option<Glass>,
}

/// A ticket that was given out.
#[derive(Debug, Clone)]
pub(crate) struct Minted {
    pub id: TicketId,
    /// Whom it names.
    pub person: PersonId,
    pub token: Pii<String>,
    pub expires_at_ms: i64,
}

impl ControlApi {
    pub(crate) async fn mint_ticket(&self, caller: Caller, request: NewTicket) -> Result<Minted, Problem> {
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_consult(&mut act, &caller, Act::IssueTicket, request.consult).await?;
        let mut act = self.permit_in(act, &caller, Act::IssueTicket, &relation).await?;
        let consult = store::consults::find(&mut act, request.consult).await?.ok_or(Problem::NotFound)?;
        if consult.ended_at_ms.is_some() {
            return Err(Problem::ConsultEnded);
        }
        let person = self.person_of(&mut act, &request.person_id).await?;
        let entry = Entry {
            consult: Some(request.consult),
            patient: relation.patient(),
            person_id: Some(Pii::new(person.to_string())),
            role: Some(request.role),
            ..by(&caller, Action::TicketMinted)
        };
        let admitted = self.check_admission(&mut act, request.consult, person, request.role).await;
        if let Err(problem) = admitted {
            return Err(self.refuse_by_rule(act, entry, problem).await?);
        }
        let holder = Holder {
            person,
            role: request.role,
            display_name: self.shown_name(&mut act, person, request.display_name).await?,
            lifetime: request.lifetime,
            waits: consult.waiting_room && !request.role.admits_others(),
            glass: None,
        };
        let minted = self.give_out(&mut act, request.consult, holder).await?;
        let patient = match request.role {
            Role::Patient => Some(person),
            _ => store::tickets::patient_of(&mut act, request.consult).await?,
        };
        let object = Some(Object::Ticket(minted.id));
        record(&mut act, &Entry { patient, object, ..entry }).await?;
        self.keep(act, &caller, minted).await
    }

    /// Keeps a ticket and signs it.
    pub(super) async fn give_out(
        &self,
        act: &mut TenantTx,
        consult: ConsultId,
        holder: Holder,
    ) -> Result<Minted, StoreError> {
        let (now_ms, issued_at_s) = (now_ms(), now().as_secs());
        let expires_at_s = issued_at_s + holder.lifetime.as_secs();
        let ticket = Ticket {
            id: TicketId::from_bytes(random_bytes()),
            consult,
            person: holder.person,
            role: holder.role,
            issued_at_ms: now_ms,
            expires_at_ms: i64::try_from(expires_at_s * 1000).unwrap_or(i64::MAX),
        };
        store::tickets::insert(act, &ticket).await?;
        let token = self.signer.sign(&ticket::Ticket {
            id: ticket.id,
            tenant: act.tenant(),
            consult,
            person: Pii::new(holder.person.to_string()),
            role: holder.role,
            display_name: holder.display_name,
            node: None,
            waits: holder.waits,
            break_glass: holder.glass,
            issued_at_unix_s: issued_at_s,
            not_before_unix_s: None,
            expires_at_unix_s: expires_at_s,
        });
        let (id, expires_at_ms) = (ticket.id, ticket.expires_at_ms);
        Ok(Minted { id, person: holder.person, token: Pii::new(token), expires_at_ms })
    }

    /// Takes a ticket back: it opens no door any more, and whoever came in with it leaves.
    pub(crate) async fn revoke_ticket(
        &self,
        caller: Caller,
        consult: ConsultId,
        id: TicketId,
    ) -> Result<(), Problem> {
        let now_ms = now_ms();
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_consult(&mut act, &caller, Act::RevokeTicket, consult).await?;
        let mut act = self.permit_in(act, &caller, Act::RevokeTicket, &relation).await?;
        let holder = store::tickets::holder(&mut act, id).await?.filter(|holder| holder.consult == consult);
        let holder = holder.ok_or(Problem::NotFound)?;
        store::tickets::set_revoked(&mut act, consult, id, now_ms).await?;
        let entry = Entry {
            consult: Some(consult),
            patient: store::tickets::patient_of(&mut act, consult).await?,
            person_id: Some(Pii::new(holder.person.to_string())),
            role: Some(holder.role),
            object: Some(Object::Ticket(id)),
            ..by(&caller, Action::TicketRevoked)
        };
        record(&mut act, &entry).await?;
        self.keep(act, &caller, ()).await?;
        self.running.revoke_ticket(consult, id);
        Ok(())
    }
}
