//! Who is in a visit, by the token that they were welcomed with. That it is genuine a key says; whether it is good still, the
//! database and the node, at each use.

use std::time::Instant;

use super::{ControlApi, by, now, now_ms, record};
use crate::{
    audit::{Action, Entry, Outcome},
    auth::{Caller, Request},
    limits::VISIT_TOKEN_GRACE,
    permissions::Act,
    problem::Problem,
    store::{self, tickets::Holder},
    visit_token::VisitToken,
};

impl ControlApi {
    /// What the token says, if it is genuine and its time is now. Nothing is looked up for it.
    pub(crate) fn visit_token(&self, token: &str) -> Result<VisitToken, Problem> {
        let verifier = self.visits.as_ref().ok_or(Problem::Unauthorized)?;
        verifier.verify(token, now().as_secs()).map_err(|_| Problem::Unauthorized)
    }

    /// The visitor whom a genuine token names. One that is good no longer is refused, and that is put down: whose it was is known.
    pub(crate) async fn visitor(
        &self,
        token: &VisitToken,
        act: Act,
        request: Request,
    ) -> Result<Caller, Problem> {
        // Each ticket's tokens together, before anything is written down.
        let bucket = format!("{} ticket:{}", token.tenant, token.ticket);
        self.rates.pass_client(bucket, Instant::now()).map_err(Problem::too_fast)?;
        let mut tx = self.store.read(token.tenant).await?;
        let asked = self.asked(&mut tx, &request).await?;
        let holder = store::tickets::holder(&mut tx, token.ticket).await?;
        drop(tx);
        let caller = Caller::visitor(token, asked);
        let Some(why) = self.why_over(token, holder.as_ref()) else { return Ok(caller) };
        let mut tx = self.store.begin(token.tenant).await?;
        let entry = Entry {
            outcome: Outcome::Refused,
            consult: Some(token.consult),
            detail: Some(why),
            ..by(&caller, Action::Asked(act))
        };
        record(&mut tx, &entry).await?;
        self.commit(tx).await?;
        Err(Problem::VisitOver)
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
        let good_until_ms = holder.ended_at_ms?.saturating_add(VISIT_TOKEN_GRACE.as_millis() as i64);
        (now_ms() >= good_until_ms).then_some("consult_ended")
    }
}
