//! Lines of chat: each is kept, in the order in which they came, before anybody gets it.
//!
//! They stand in a queue of their own, which one task empties: a slow database holds up lines, and nothing else that is said.

use std::sync::{Arc, Weak};

use media_model::Pii;
use signaling_protocol::error::ErrorCode;
use tokio::sync::mpsc;

use crate::{
    Shared,
    consult::{Line, Moment, Seat},
    journal::{Journal, JournalUnavailable},
    limits::{CHAT_BATCH_MAX, JOURNAL_TIMEOUT},
};

/// Takes a line; its author hears later whether it was kept.
pub(crate) fn take(shared: &Shared, from: Seat, text: Pii<String>) -> Result<(), ErrorCode> {
    let id = shared.journal.next_line();
    let Some(line) = shared.registry().take_line(Moment::now(), from, id, text)? else { return Ok(()) };
    let Err(refused) = shared.lines.try_send(line) else { return Ok(()) };
    shared.registry().settle(&refused.into_inner());
    Err(ErrorCode::ChatBusy)
}

/// Keeps lines and passes them on, until there is no signaling any more.
pub(crate) async fn keep(shared: Weak<Shared>, journal: Arc<dyn Journal>, mut taken: mpsc::Receiver<Line>) {
    let mut batch = Vec::new();
    while taken.recv_many(&mut batch, CHAT_BATCH_MAX).await > 0 {
        let is_late = |line: &Line| line.taken_at.elapsed() >= JOURNAL_TIMEOUT;
        let (late, lines): (Vec<_>, Vec<_>) = batch.drain(..).partition(is_late);
        settle(&shared, late, Err(JournalUnavailable));
        if lines.is_empty() {
            continue;
        }
        // Goes on to its end whoever waits: half a write would leave it open what is kept.
        let mut write = journal.record(lines.iter().map(|line| line.entry.clone()).collect());
        match tokio::time::timeout(JOURNAL_TIMEOUT, &mut write).await {
            Ok(outcome) => settle(&shared, lines, outcome),
            Err(_) => {
                settle(&shared, lines, Err(JournalUnavailable));
                if write.await.is_ok() {
                    tracing::warn!("lines of chat were kept too late to be passed on");
                }
            }
        }
    }
}

fn settle(shared: &Weak<Shared>, lines: Vec<Line>, outcome: Result<(), JournalUnavailable>) {
    let Some(shared) = shared.upgrade() else { return };
    let mut registry = shared.registry();
    for line in &lines {
        match outcome {
            Ok(()) => registry.pass_on(line),
            Err(JournalUnavailable) => registry.drop_line(line, ErrorCode::ChatNotKept),
        }
    }
}
