//! Where signaling's journal goes: into the audit log, lines of chat beside it, and while that cannot be written, into the node's
//! spool.

mod told;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use control_api::{
    ControlApi, Seen,
    audit::{Action, Entry, EntryId},
    new_entry_id,
};
use media_model::{Pii, RequestId, TenantId};
use signaling::{BoxFuture, Journal, JournalUnavailable, What};
use signaling_protocol::{error::ErrorCode, server::LineId};

use self::told::told;
use crate::{
    presences::Presences,
    spool::{Named, Spool},
};

/// How long the audit log may take before the spool is asked instead. Whoever joins waits for it.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
/// Lines of chat that the spool keeps, half of its room if they are the longest: however much is written while the database is
/// away, there is room for those who join.
const LINES_SPOOLED_MAX: usize = 4_000;
/// How often what waits in the spool is handed in.
const HAND_IN_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is said that they cannot be.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);
/// Entries that are handed in together.
const HAND_IN_ENTRIES_MAX: usize = 256;

/// Writes what signaling saw to the audit log.
pub struct AuditJournal {
    pub api: ControlApi,
    pub spool: Arc<Spool>,
    pub presences: Arc<Presences>,
}

impl Journal for AuditJournal {
    fn next_line(&self) -> LineId {
        LineId::from_bytes(new_entry_id().to_bytes())
    }

    fn record(&self, entries: Vec<signaling::Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>> {
        Box::pin(async move {
            let comings: Vec<_> = entries.iter().filter(|entry| is_coming(entry)).cloned().collect();
            let goings = requests(entries.iter().filter(|entry| matches!(entry.what, What::Left(_))));
            let named = entries.into_iter().map(named).collect();
            let (kept, ()) = tokio::join!(self.keep(named), self.presences.came(&comings));
            match kept {
                Ok(()) => self.presences.gone(&goings),
                Err(JournalUnavailable) => self.presences.gone(&requests(comings.iter())),
            }
            kept
        })
    }

    fn turned_away(&self, code: ErrorCode, address: Option<Pii<IpAddr>>) {
        self.api.turned_away_at_signaling(code.as_str(), address);
    }
}

impl AuditJournal {
    async fn keep(&self, named: Vec<Named>) -> Result<(), JournalUnavailable> {
        // What came earlier is written earlier.
        if self.spool.waiting() == 0 && self.write(&named).await {
            return Ok(());
        }
        let has_lines = named.iter().any(|(_, entry)| matches!(entry.what, What::Wrote(..)));
        if has_lines && self.spool.lines_waiting() >= LINES_SPOOLED_MAX {
            tracing::error!("the spool has no room for further lines of chat");
            return Err(JournalUnavailable);
        }
        let must_not_fail = named.iter().all(|(_, entry)| matches!(entry.what, What::Left(_)));
        self.spool.keep(named, must_not_fail).await.map_err(|error| {
            tracing::error!(%error, "neither audit log nor spool can be written");
            JournalUnavailable
        })
    }

    async fn write(&self, named: &[Named]) -> bool {
        let (measured, entries) = told(named);
        // First what may be handed in again and again: entries that are there are not to come a second time.
        let write = async {
            self.api.keep_connections(&measured).await?;
            self.api.record(&entries).await
        };
        match tokio::time::timeout(DATABASE_PATIENCE, write).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the audit log cannot be written: the spool takes over")
            }
            Err(_) => tracing::error!("the audit log takes too long: the spool takes over"),
        }
        false
    }
}

/// Hands in what waits in the spool, for as long as the process lives.
pub async fn keep_handing_in(api: ControlApi, spool: Arc<Spool>) {
    let mut complain_at = Instant::now();
    loop {
        while spool.waiting() > 0 {
            let oldest = spool.oldest(HAND_IN_ENTRIES_MAX);
            let (measured, entries) = told(&oldest);
            // The try that came to nothing may have come to something after all.
            let handed_in = async {
                api.keep_connections(&measured).await?;
                api.record_what_can_be(&entries).await
            };
            let hopeless = match handed_in.await {
                Ok(hopeless) => hopeless,
                Err(error) => {
                    if complain_at <= Instant::now() {
                        complain_at = Instant::now() + COMPLAINT_INTERVAL;
                        tracing::warn!(%error, waiting = spool.waiting(), "the spool waits for the audit log");
                    }
                    break;
                }
            };
            let mut aside = Vec::new();
            for (place, error) in &hopeless {
                let (id, tenant) = (entries[*place].id, entries[*place].tenant);
                tracing::error!(entry = %id, %tenant, %error, "the audit log can never take this entry: it is set aside");
                aside.extend(oldest.iter().filter(|(named, _)| *named == id).cloned());
            }
            if let Err(error) = spool.forget(&oldest, &aside).await {
                tracing::error!(%error, "an entry that the audit log cannot take cannot be set aside either");
                break;
            }
            if spool.waiting() == 0 {
                tracing::info!("the audit log has everything that waited in the spool");
            }
        }
        tokio::time::sleep(HAND_IN_INTERVAL).await;
    }
}

/// Says in the audit log that the spool has less than it had, once that can be written.
pub async fn tell_of_missing(api: ControlApi, spool: Arc<Spool>) {
    let entry = Entry { detail: Some("records_missing"), ..Entry::of(Action::SpoolCut) };
    let seen = [Seen::new(TenantId::SYSTEM, new_entry_id(), entry)];
    while spool.missing_to_be_told() > 0 {
        match api.record_unless_there(&seen).await {
            Ok(()) => spool.missing_was_told().await,
            Err(_) => tokio::time::sleep(HAND_IN_INTERVAL).await,
        }
    }
}

/// Whether it begins what a departure ends.
const fn is_coming(entry: &signaling::Entry) -> bool {
    matches!(entry.what, What::Joined(_) | What::Waited | What::Admitted { .. })
}

fn requests<'a>(entries: impl Iterator<Item = &'a signaling::Entry>) -> Vec<RequestId> {
    entries.filter_map(|entry| entry.call.as_ref()).map(|call| call.request).collect()
}

/// A line of chat and its entry are called the same.
fn named(entry: signaling::Entry) -> Named {
    let id = match entry.what {
        What::Wrote(line, _) => EntryId::from_bytes(line.to_bytes()),
        _ => new_entry_id(),
    };
    (id, entry)
}
