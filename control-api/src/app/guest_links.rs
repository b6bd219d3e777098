//! Guest links: one is sent by mail or SMS, and opens the door as often as its button is pressed.
//!
//! Its code is no ticket: whoever redeems it gets one that is good for minutes, and the one before is taken back. Looking at the page
//! that it leads to redeems nothing, so that scanners of mail burn nothing.

use media_model::{Pii, Role, TenantId};
use signaling_protocol::ticket::TicketId;

use super::{ControlApi, Minted, appointments::about, erasing, now_ms, random_id, record, tickets::Holder};
use crate::{
    StoreError,
    audit::{Action, Actor, Entry, Outcome},
    auth::{Caller, GuestCode, Request},
    ids::{AppointmentId, GuestLinkId, PersonId},
    keys::Place,
    limits::{GUEST_LINK_GRACE, GUEST_LINK_REST, GUEST_LINKS_MAX, TICKET_LIFETIME_DEFAULT},
    permissions::Act,
    problem::Problem,
    store::{self, TenantTx, appointments::Appointment, guest_links::GuestLink},
};

/// The page with the button, on this server; the binary serves it.
const GUEST_PAGE: &str = "/guest";

/// For whom a link is asked.
#[derive(Debug)]
pub(crate) struct NewGuestLink {
    /// As what they come; never as staff.
    pub role: Role,
    /// Somebody who is booked, by their id of the EHR's; nobody for a guest who only watches.
    pub person_id: Option<Pii<String>>,
    /// What the others see; nothing for the name by which they are known.
    pub display_name: Option<Pii<String>>,
}

/// A link that was made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub id: GuestLinkId,
    pub person: PersonId,
    pub code: Pii<String>,
    /// The whole of it, where the operator says how browsers find this server.
    pub link: Option<Pii<String>>,
    pub expires_at_ms: i64,
}

/// Where a name is sealed.
fn name_of(tenant: TenantId, row: &str) -> Place<'_> {
    Place { tenant, table: "guest_links", row, column: "display_name" }
}

/// Until when a link opens the door: it moves with its appointment.
fn expires_at_ms(appointment: &Appointment) -> i64 {
    appointment.course.time.ends_at_ms().saturating_add(GUEST_LINK_GRACE.as_millis() as i64)
}

/// Whether nobody comes in any more: the consult can be ended before its appointment is.
async fn is_over(act: &mut TenantTx, appointment: &Appointment) -> Result<bool, StoreError> {
    let consult = store::consults::find(act, appointment.consult).await?;
    Ok(consult.is_none_or(|consult| consult.ended_at_ms.is_some()))
}

impl ControlApi {
    /// Makes a link for somebody who is booked, or for a guest who only watches. Its code is told this once.
    pub(crate) async fn create_guest_link(
        &self,
        caller: Caller,
        id: AppointmentId,
        new: NewGuestLink,
    ) -> Result<Made, Problem> {
        let act = self.begin(&caller).await?;
        let (mut act, appointment) = self.found_for(act, &caller, Act::IssueTicket, id).await?;
        if is_over(&mut act, &appointment).await? {
            return Err(Problem::ConsultEnded);
        }
        if store::guest_links::count(&mut act, id).await? >= GUEST_LINKS_MAX {
            return Err(Problem::TooMany);
        }
        let person = match &new.person_id {
            Some(external_id) => {
                let person = self.person_of(&mut act, external_id).await?;
                let admitted = self.check_admission(&mut act, appointment.consult, person, new.role).await;
                if let Err(problem) = admitted {
                    let entry = linked(person, new.role, about(&caller, Act::IssueTicket, &appointment));
                    return Err(self.refuse_by_rule(act, entry, problem).await?);
                }
                person
            }
            // The EHR knows nothing of them: they are somebody new, by an id that nobody has.
            None => self.person_of(&mut act, &Pii::new(format!("guest-{}", random_id()))).await?,
        };
        let (id, code) = (GuestLinkId::from_bytes(super::random_bytes()), GuestCode::generate(caller.tenant));
        let row = id.to_string();
        let name = self.shown_name(&mut act, person, new.display_name).await?;
        let name = self.seal_about(&mut act, person, &name_of(caller.tenant, &row), &name).await?;
        let link = store::guest_links::NewGuestLink {
            id,
            code_hash: &code.hash(),
            appointment: appointment.id,
            person,
            role: new.role,
            display_name: &name,
            created_at_ms: now_ms(),
        };
        store::guest_links::insert(&mut act, &link).await?;
        record(&mut act, &linked(person, new.role, about(&caller, Act::IssueTicket, &appointment))).await?;
        let (code, expires_at_ms) = (code.reveal().to_owned(), expires_at_ms(&appointment));
        let link = self.own_origin().configured();
        let link = link.map(|origin| Pii::new(format!("{}{GUEST_PAGE}#{code}", origin.as_str())));
        self.keep(act, &caller, Made { id, person, code: Pii::new(code), link, expires_at_ms }).await
    }

    /// Takes a link back, with what it opened the door with the last time.
    pub(crate) async fn revoke_guest_link(
        &self,
        caller: Caller,
        appointment: AppointmentId,
        id: GuestLinkId,
    ) -> Result<(), Problem> {
        let now_ms = now_ms();
        let act = self.begin(&caller).await?;
        let (mut act, appointment) = self.found_for(act, &caller, Act::RevokeTicket, appointment).await?;
        let link = store::guest_links::find(&mut act, appointment.id, id).await?.ok_or(Problem::NotFound)?;
        store::guest_links::set_revoked(&mut act, id, now_ms).await?;
        let before = self.take_back(&mut act, &appointment, &link, now_ms).await?;
        let entry = about(&caller, Act::RevokeTicket, &appointment);
        record(&mut act, &linked(link.person, link.role, entry)).await?;
        self.keep(act, &caller, ()).await?;
        self.send_away(&appointment, before);
        Ok(())
    }

    /// Whether there is a link with this code, good or not. Who makes codes up keeps nobody from writing.
    pub(crate) async fn know_guest_link(&self, code: &GuestCode) -> Result<(), Problem> {
        let mut tx = self.store.read(code.tenant()).await?;
        let is_known = store::guest_links::is_known(&mut tx, &code.hash()).await?;
        is_known.then_some(()).ok_or(Problem::NotFound)
    }

    /// A ticket for whoever has a link's code. Whoever came in with the one before has to leave, and the next waits until staff lets
    /// them in, whatever the appointment says: a mail can be passed on.
    pub(crate) async fn redeem_guest_link(
        &self,
        code: &GuestCode,
        request: &Request,
    ) -> Result<Minted, Problem> {
        let (mut act, now_ms) = (self.store.begin(code.tenant()).await?, now_ms());
        let link = store::guest_links::take(&mut act, &code.hash()).await?.ok_or(Problem::NotFound)?;
        let appointment = store::appointments::find(&mut act, link.appointment).await?;
        let appointment = appointment.ok_or(StoreError::Malformed("a guest link's appointment"))?;
        let entry =
            self.asked_by(&mut act, Actor::Anonymous, Action::GuestLinkRedeemed, Some(request)).await?;
        let entry = Entry { patient: Some(appointment.patient), consult: Some(appointment.consult), ..entry };
        let entry = Entry { role: Some(link.role), ..erasing::about(link.person, entry) };
        let name = match self.name_behind(&mut act, &link, &appointment, now_ms).await {
            Ok(name) => name,
            Err(problem) => {
                drop(act);
                let mut act = self.store.begin(code.tenant()).await?;
                let (outcome, detail) = (Outcome::Refused, Some(problem.code()));
                record(&mut act, &Entry { outcome, detail, ..entry }).await?;
                self.commit(act).await?;
                return Err(problem);
            }
        };
        let before = self.take_back(&mut act, &appointment, &link, now_ms).await?;
        let (person, role) = (link.person, link.role);
        let holder = Holder {
            person,
            role,
            display_name: name,
            lifetime: TICKET_LIFETIME_DEFAULT,
            waits: true,
            glass: None,
        };
        let minted = self.give_out(&mut act, appointment.consult, holder).await?;
        store::guest_links::set_redeemed(&mut act, link.id, minted.id, now_ms).await?;
        record(&mut act, &entry).await?;
        self.commit(act).await?;
        self.send_away(&appointment, before);
        Ok(minted)
    }

    /// What the others see of whoever comes by a link, if it opens the door now.
    async fn name_behind(
        &self,
        act: &mut TenantTx,
        link: &GuestLink,
        appointment: &Appointment,
        now_ms: i64,
    ) -> Result<Pii<String>, Problem> {
        if link.revoked_at_ms.is_some() || now_ms >= expires_at_ms(appointment) {
            return Err(Problem::NotFound);
        }
        if is_over(act, appointment).await? {
            return Err(Problem::ConsultEnded);
        }
        let rests_until_ms = link.redeemed_at_ms.map(|at_ms| at_ms + GUEST_LINK_REST.as_millis() as i64);
        if rests_until_ms.is_some_and(|until_ms| now_ms < until_ms) {
            return Err(Problem::TooManyRequests(GUEST_LINK_REST.as_secs() as u32));
        }
        if !store::consents::holds(act, appointment.patient).await? {
            return Err(Problem::ConsentMissing);
        }
        let row = link.id.to_string();
        let place = name_of(act.tenant(), &row);
        // Nobody comes as somebody who was erased.
        self.open_about(act, link.person, &place, &link.display_name).await?.ok_or(Problem::NotFound)
    }

    /// Takes back what a link opened the door with the last time.
    async fn take_back(
        &self,
        act: &mut TenantTx,
        appointment: &Appointment,
        link: &GuestLink,
        now_ms: i64,
    ) -> Result<Option<TicketId>, StoreError> {
        if let Some(ticket) = link.ticket {
            store::tickets::set_revoked(act, appointment.consult, ticket, now_ms).await?;
        }
        Ok(link.ticket)
    }

    fn send_away(&self, appointment: &Appointment, ticket: Option<TicketId>) {
        if let Some(ticket) = ticket {
            self.running.revoke_ticket(appointment.consult, ticket);
        }
    }
}

fn linked(person: PersonId, role: Role, entry: Entry) -> Entry {
    erasing::about(person, Entry { role: Some(role), detail: Some("guest_link"), ..entry })
}
