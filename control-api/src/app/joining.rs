//! Coming to a consult oneself: a ticket for whoever asks, by their part in the visit or by what they broke.

use std::time::Duration;

use media_model::{ConsultId, Pii};
use signaling_protocol::ticket::Glass;

use super::{ControlApi, by, facts, now, record, tickets::Holder, tickets::Minted};
use crate::{
    audit::{Action, Entry, Object},
    auth::Caller,
    permissions::{Act, BreakGlass, Ground, Reason},
    problem::Problem,
    store,
};

impl ControlApi {
    /// A ticket for the caller, who has a part in the visit. Who has none but has broken the glass for the patient comes in at
    /// once, is seen to have done so, and has to leave when the glass runs out or is closed.
    pub(crate) async fn join_consult(
        &self,
        caller: Caller,
        consult: ConsultId,
        display_name: Option<Pii<String>>,
        lifetime: Duration,
    ) -> Result<Minted, Problem> {
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_consult(&mut act, &caller, Act::Join, consult).await?;
        let (mut act, ground) = self.permit_on(act, &caller, Act::Join, &relation).await?;
        let Some(person) = caller.person().copied() else {
            drop(act);
            return Err(self.refuse(&caller, Act::Join, &relation, Reason::PersonNeeded).await?);
        };
        let found = store::consults::find(&mut act, consult).await?.ok_or(Problem::NotFound)?;
        if found.ended_at_ms.is_some() {
            return Err(Problem::ConsultEnded);
        }
        let entry = Entry {
            consult: Some(consult),
            patient: relation.patient(),
            person_id: Some(Pii::new(person.id.to_string())),
            ..by(&caller, Action::TicketMinted)
        };
        let (role, glass) = match (ground, person.standing, relation.glass()) {
            (Ground::Role(role), ..) => {
                if let Err(problem) = self.check_admission(&mut act, consult, person.id, role).await {
                    let entry = Entry { role: Some(role), ..entry };
                    return Err(self.refuse_by_rule(act, entry, problem).await?);
                }
                (role, None)
            }
            (Ground::BreakGlass(_), Some(standing), Some(glass))
                if store::break_glasses::holds(&mut act, glass.id).await? =>
            {
                (standing, Some(*glass))
            }
            // The glass was closed just now, or this is no ground that the table grants it on: nobody comes in unmarked.
            _ => {
                drop(act);
                return Err(self.refuse(&caller, Act::Join, &relation, Reason::FactsDoNotFit).await?);
            }
        };
        let display_name = self.shown_name(&mut act, person.id, display_name).await?;
        let waits = found.waiting_room && !role.admits_others() && glass.is_none();
        let lifetime = glass.as_ref().map_or(lifetime, |glass| lifetime.min(left_of(glass)));
        let holder =
            Holder { person: person.id, role, display_name, lifetime, waits, glass: glass.map(claimed) };
        let minted = self.give_out(&mut act, consult, holder).await?;
        if let Some(glass) = &glass {
            store::break_glasses::insert_ticket(&mut act, glass.id, minted.id).await?;
        }
        // Whoever looks into a glass finds all of its entries by that alone.
        let object = glass.is_none().then_some(Object::Ticket(minted.id));
        let break_glass = glass.map(|glass| glass.id);
        record(&mut act, &Entry { role: Some(role), break_glass, object, ..entry }).await?;
        self.keep(act, &caller, minted).await
    }
}

fn left_of(glass: &BreakGlass) -> Duration {
    let expires_at_s = u64::try_from(glass.expires_at_ms / 1000).unwrap_or(0);
    Duration::from_secs(expires_at_s.saturating_sub(now().as_secs()))
}

fn claimed(glass: BreakGlass) -> Glass {
    Glass { id: glass.id, until_unix_s: u64::try_from(glass.expires_at_ms / 1000).unwrap_or(0) }
}
