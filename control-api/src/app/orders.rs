//! What running consults have to be told of what was taken back, whoever took it: this process, another one that works on the
//! same database, or one that is gone before it could say so.

use std::collections::HashSet;

use media_model::ConsultId;
use signaling_protocol::{limits::RESUME_VALIDITY, ticket::TicketId};
use tokio::time::{MissedTickBehavior, interval};

use super::{ControlApi, TICKET_LEEWAY_MS, now_ms};
use crate::{
    StoreError,
    limits::{ORDERS_INTERVAL, ORDERS_OVERLAP},
    store::{self, tickets::TakenBack},
};

/// What has been told.
#[derive(Debug, Default)]
struct Told {
    tickets: HashSet<(TicketId, TakenBack)>,
    consults: HashSet<ConsultId>,
}

impl ControlApi {
    /// Tells running consults again what was taken back and which consults were ended, after a restart has made them
    /// forget: for as long as a ticket of theirs would still open, or a resume token of somebody who came in with it.
    pub async fn replay_revocations(&self) -> Result<(), StoreError> {
        let still_good_ms = now_ms() - TICKET_LEEWAY_MS;
        let resumable_ms = still_good_ms - RESUME_VALIDITY.as_millis() as i64;
        self.tell_taken_back(Some(still_good_ms), resumable_ms, &mut Told::default()).await
    }

    /// Tells running consults each second what was taken back since, for as long as the process lives.
    pub async fn keep_following_orders(self) {
        let (mut told, mut is_failing) = (Told::default(), false);
        let mut due = interval(ORDERS_INTERVAL);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Since when what was taken back may not be known here.
        let mut unknown_since_ms = now_ms();
        loop {
            due.tick().await;
            let begun_at_ms = now_ms();
            match self.follow_orders(unknown_since_ms, &mut told).await {
                Ok(()) => (unknown_since_ms, is_failing) = (begun_at_ms, false),
                Err(error) if !is_failing => {
                    tracing::warn!(%error, "what others took back is not known until the database answers");
                    is_failing = true;
                }
                Err(_) => {}
            }
        }
    }

    async fn follow_orders(&self, unknown_since_ms: i64, told: &mut Told) -> Result<(), StoreError> {
        // An act has its time from before its commit, and from another machine's clock.
        self.tell_taken_back(None, unknown_since_ms - ORDERS_OVERLAP.as_millis() as i64, told).await
    }

    /// Tells what was taken back after `since_ms` or, where that is given, expires after `good_until_ms`; nothing twice.
    async fn tell_taken_back(
        &self,
        good_until_ms: Option<i64>,
        since_ms: i64,
        told: &mut Told,
    ) -> Result<(), StoreError> {
        let mut now_known = Told::default();
        for tenant in self.store.tenants().await? {
            let mut tx = self.store.read(tenant).await?;
            for consult in store::consults::ended(&mut tx, since_ms).await? {
                now_known.consults.insert(consult);
                if !told.consults.contains(&consult) {
                    self.running.end(consult);
                }
            }
            let mut taken = store::tickets::taken_back(&mut tx, since_ms).await?;
            if let Some(good_until_ms) = good_until_ms {
                taken.extend(store::tickets::taken_back_and_young(&mut tx, good_until_ms).await?);
            }
            for (consult, ticket, how) in taken {
                // The end of a consult took all of its tickets back, and its people were told so; a node that was started
                // anew has to know of each.
                if good_until_ms.is_none() && now_known.consults.contains(&consult) {
                    continue;
                }
                if now_known.tickets.insert((ticket, how)) && !told.tickets.contains(&(ticket, how)) {
                    match how {
                        TakenBack::Revoked => self.running.revoke_ticket(consult, ticket),
                        TakenBack::Barred => self.running.bar_ticket(consult, ticket),
                    }
                }
            }
        }
        *told = now_known;
        Ok(())
    }
}
