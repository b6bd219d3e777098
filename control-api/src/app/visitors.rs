//! Who is in a visit, by the token that they were welcomed with. That it is genuine a key says; whether it is good still, the
//! database and the node on which they are, at each use.

use std::time::Instant;

use media_model::Pii;
use signaling_protocol::ticket::Token as _;

use super::{ControlApi, now, now_ms};
use crate::{
    auth::{Caller, Request},
    limits::VISIT_TOKEN_GRACE,
    permissions::Act,
    problem::Problem,
    store::{self, tickets::Holder},
    visit_token::VisitToken,
};

impl ControlApi {
    /// What the token says, if it is genuine, whatever the time. Nothing is looked up for it.
    pub(crate) fn genuine_visit(&self, token: &str) -> Option<VisitToken> {
        self.visits.as_ref()?.genuine(token).ok()
    }

    /// The visitor whom a genuine token names. One that is good no longer is refused, and that is put down: whose it was is known.
    pub(crate) async fn visitor(
        &self,
        token: &VisitToken,
        act: Act,
        request: Request,
    ) -> Result<Caller, Problem> {
        let VisitToken { tenant, consult, person, .. } = *token;
        // Of one person together, whatever they came with, and before anything is written down.
        self.rates
            .pass_visitor(format!("{tenant} {consult} {person}"), Instant::now())
            .map_err(Problem::too_fast)?;
        if token.check_time(now().as_secs()).is_err() {
            self.turned_away(Some(tenant), "visit_token", &request);
            return Err(Problem::Unauthorized);
        }
        let mut tx = self.store.read(tenant).await?;
        let asked = self.asked(&mut tx, &request).await?;
        let holder = store::tickets::holder(&mut tx, token.ticket).await?;
        drop(tx);
        match self.why_over(token, holder.as_ref()) {
            None => Ok(Caller::visitor(token, Some(asked))),
            Some(why) => Err(self.refuse_visitor(token, act, why, (&request, asked)).await?),
        }
    }

    /// Why a genuine token is good no longer.
    fn why_over(&self, token: &VisitToken, holder: Option<&Holder>) -> Option<&'static str> {
        let is_theirs = |holder: &&Holder| {
            (holder.consult, holder.person, holder.role) == (token.consult, token.person, token.role)
        };
        let Some(holder) = holder.filter(is_theirs) else { return Some("ticket_unknown") };
        if holder.is_erased {
            return Some("person_erased");
        }
        // Ending a consult takes all of its tickets back, at the time that it was ended.
        if self.running.is_revoked(token.ticket)
            || holder.revoked_at_ms.is_some_and(|at| holder.ended_at_ms != Some(at))
        {
            return Some("ticket_revoked");
        }
        let grace_ms = VISIT_TOKEN_GRACE.as_millis() as i64;
        if holder.ended_at_ms.is_some_and(|at| now_ms() >= at.saturating_add(grace_ms)) {
            return Some("consult_ended");
        }
        // Who has left, or waits, is past no waiting room. Only the node on which they are knows that they are there; any other
        // lets nobody in.
        let is_in = self.running.is_in(token.consult, &Pii::new(token.person.to_string()));
        (!is_in).then_some("not_in_visit")
    }
}
