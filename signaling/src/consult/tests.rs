//! What only time brings about, in time that is made up.

mod sent_out;
mod taken_back;

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use media_model::{BreakGlassId, Pii, RequestId, Role};
use signaling_protocol::{
    error::ErrorCode,
    limits::CHAT_LINES_WAITING_MAX,
    server::{GoodbyeReason, LineId},
    ticket::{Glass, TicketId},
};
use tokio::sync::mpsc;

use super::*;
use crate::{
    journal::{BoxFuture, Call, Journal, JournalUnavailable, Way},
    limits::{OUTBOX_NOTICES_MAX, RESUME_GRACE},
    media::Overloaded,
    session::Notice,
};

const CONSULT: ConsultId = ConsultId::from_bytes([1; 16]);
const LINE: LineId = LineId::from_bytes([2; 16]);

#[derive(Default)]
struct Shelf {
    is_full: AtomicBool,
    commands: Mutex<Vec<String>>,
}

impl Shelf {
    fn commands(&self) -> Vec<String> {
        self.commands.lock().expect("not poisoned").clone()
    }
}

struct OneShard(Arc<Shelf>);

impl MediaPlane for OneShard {
    fn place(&self, _: ConsultId) -> Result<Arc<dyn Shard>, Overloaded> {
        Ok(Arc::new(Self(Arc::clone(&self.0))))
    }

    fn release(&self, _: ConsultId) {
        self.0.commands.lock().expect("not poisoned").push("release".into());
    }

    fn fingerprint(&self) -> [u8; 32] {
        [0; 32]
    }
}

impl Shard for OneShard {
    fn candidates(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    fn send(&self, command: Command) -> Result<(), Overloaded> {
        if self.0.is_full.load(SeqCst) {
            return Err(Overloaded);
        }
        self.0.commands.lock().expect("not poisoned").push(format!("{command:?}"));
        Ok(())
    }
}

struct Forgetful;

impl Journal for Forgetful {
    fn next_line(&self) -> LineId {
        LINE
    }

    fn record(&self, _: Vec<Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>> {
        Box::pin(async { Ok(()) })
    }
}

/// Remembers who has left, and who was forbidden what how often.
#[derive(Default)]
struct Kept {
    /// By which connection, for how many seconds they were here, and why.
    left: Mutex<Vec<(u8, Option<u64>, Departure)>>,
    forbade: Mutex<Vec<(Forbidden, u64)>>,
}

impl Kept {
    fn left(&self) -> Vec<(u8, Option<u64>, Departure)> {
        self.left.lock().expect("not poisoned").clone()
    }
}

impl Journal for Kept {
    fn next_line(&self) -> LineId {
        LineId::from_bytes([1; 16])
    }

    fn record(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>> {
        Box::pin(async move {
            for entry in entries {
                let by = entry.call.map_or(0, |call| call.request.to_bytes()[0]);
                let lasted_s = entry.lasted.map(|lasted| lasted.as_secs());
                match entry.what {
                    What::Left(why) => self.left.lock().expect("not poisoned").push((by, lasted_s, why)),
                    What::Forbade(what, times) => {
                        self.forbade.lock().expect("not poisoned").push((what, times));
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

fn registry() -> (Registry, Arc<Shelf>) {
    registry_with(Arc::new(Forgetful))
}

fn registry_with(journal: Arc<dyn Journal>) -> (Registry, Arc<Shelf>) {
    let (shelf, counters) = (Arc::new(Shelf::default()), Arc::new(Counters::default()));
    let scribe = Scribe::start(journal, Arc::clone(&counters));
    (Registry::new(Tickets::default(), Arc::new(OneShard(Arc::clone(&shelf))), scribe, counters, 32), shelf)
}

fn claim(person: u8) -> Claim {
    Claim {
        tenant: media_model::TenantId::SYSTEM,
        consult: CONSULT,
        person: Pii::new(format!("person {person}")),
        role: Role::Patient,
        display_name: Pii::new("Name".into()),
        ticket: TicketId::from_bytes([person; 16]),
        waits: false,
        glass: None,
        expires_unix_s: u64::MAX,
        resumes: None,
        call: None,
    }
}

fn enter(
    registry: &mut Registry,
    now: Moment,
    claim: &Claim,
) -> Result<(Seat, mpsc::Receiver<Notice>), ErrorCode> {
    let reservation = registry.reserve(now, claim, Way::WebSocket)?;
    let (notices, received) = mpsc::channel(OUTBOX_NOTICES_MAX);
    registry.open(now, claim, &reservation, notices)?;
    Ok((reservation.seat, received))
}

/// Says a line, which is kept at once.
fn say(registry: &mut Registry, now: Moment, seat: Seat) {
    let line =
        registry.take_line(now, seat, LINE, Pii::new("hello".into())).expect("may write").expect("is here");
    registry.pass_on(&line);
}

fn later(now: Moment, by: Duration) -> Moment {
    Moment { steady: now.steady + by, wall: now.wall + by }
}

/// The same person by another connection, with another ticket.
fn claim_by(person: u8, connection: u8) -> Claim {
    let call = Call { request: RequestId::from_bytes([connection; 16]), address: None };
    Claim { ticket: TicketId::from_bytes([connection; 16]), call: Some(call), ..claim(person) }
}

#[tokio::test]
async fn each_coming_has_one_going_by_the_connection_that_it_was_by() {
    let kept = Arc::new(Kept::default());
    let (mut registry, _) = registry_with(Arc::clone(&kept) as _);
    let (now, seconds) = (Moment::now(), Duration::from_secs);
    let (_, _first) = enter(&mut registry, now, &claim_by(1, 1)).expect("lets in");
    let (notices, _second) = mpsc::channel(OUTBOX_NOTICES_MAX);
    let again = claim_by(1, 2);
    let reservation = registry.reserve(now, &again, Way::WebSocket).expect("a place");
    let opened = registry.open(later(now, seconds(5)), &again, &reservation, notices);
    let Ok(Opening::Present(token)) = opened else { panic!("lets in") };
    registry.depart(later(now, seconds(10)), reservation.seat, false);
    let back = Claim { call: claim_by(1, 3).call, ..Claim::from(*token) };
    let (seat, _third) = enter(&mut registry, later(now, seconds(12)), &back).expect("lets in");
    registry.depart(later(now, seconds(65)), seat, true);
    registry.scribe.flush().await;
    let expected = [(1, Some(5), Departure::Replaced), (2, Some(60), Departure::Left)];
    assert_eq!(kept.left(), expected, "who comes back never left");
}

#[tokio::test]
async fn whoever_does_not_come_back_in_time_is_gone_and_keeps_the_number() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let (seat, _notices) = enter(&mut registry, now, &claim(1)).expect("lets in");
    registry.depart(now, seat, false);
    registry.sweep(later(now, RESUME_GRACE - Duration::from_millis(1)));
    assert_eq!(registry.headcount().participants, 1);
    registry.sweep(later(now, RESUME_GRACE));
    assert_eq!(registry.headcount(), Headcount::default());
    enter(&mut registry, now, &claim(2)).expect("lets in");
    let again = Claim { ticket: TicketId::from_bytes([9; 16]), ..claim(1) };
    let (back, _notices) = enter(&mut registry, now, &again).expect("lets in");
    assert_eq!(back.participant, seat.participant);
}

#[tokio::test]
async fn whoever_does_not_read_is_cut_off_and_the_others_are_not() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let (_, mut deaf) = enter(&mut registry, now, &claim(1)).expect("lets in");
    let (seat, mut reads) = enter(&mut registry, now, &claim(2)).expect("lets in");
    for _ in 0..2 * OUTBOX_NOTICES_MAX {
        say(&mut registry, now, seat);
        assert!(reads.try_recv().is_ok());
    }
    let held = std::iter::from_fn(|| deaf.try_recv().ok()).count();
    assert_eq!(held, OUTBOX_NOTICES_MAX);
    assert!(deaf.is_closed(), "its session finds the queue at its end");
}

#[tokio::test]
async fn an_empty_consult_is_forgotten_after_a_while_and_its_shard_released() {
    let (mut registry, shelf) = registry();
    let now = Moment::now();
    let (seat, _notices) = enter(&mut registry, now, &claim(1)).expect("lets in");
    registry.ground(seat, Way::WebSocket).expect("a shard");
    let emptied = later(now, EMPTY_CONSULT_KEPT);
    registry.sweep(emptied);
    assert_eq!((registry.consults.len(), shelf.commands().len()), (1, 0), "somebody is in it");
    registry.depart(now, seat, true);
    registry.sweep(later(emptied, Duration::from_secs(1)));
    assert_eq!(shelf.commands(), ["release"], "at once");
    assert_eq!(registry.consults.len(), 1, "its numbers are kept");
    registry.sweep(later(emptied, EMPTY_CONSULT_KEPT));
    assert_eq!(registry.consults.len(), 0);
    assert_eq!(shelf.commands(), ["release"]);
}

#[tokio::test]
async fn tickets_are_looked_through_once_in_a_while_only() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    registry.sweep(now);
    let due = registry.tickets_due;
    registry.sweep(later(now, TICKETS_SWEEP_INTERVAL - Duration::from_millis(1)));
    assert_eq!(registry.tickets_due, due);
    registry.sweep(later(now, TICKETS_SWEEP_INTERVAL));
    assert_ne!(registry.tickets_due, due);
}

#[tokio::test]
async fn a_session_over_http_gives_way_to_a_websocket_that_came_meanwhile() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let camera = Claim { ticket: TicketId::from_bytes([9; 16]), ..claim(1) };
    let reservation = registry.reserve(now, &camera, Way::Whip).expect("a place");
    registry.open_resource(now, &camera, reservation.seat).expect("opens");
    let (seat, _notices) = enter(&mut registry, now, &claim(1)).expect("lets in");
    assert_eq!(registry.ground(reservation.seat, Way::Whip).err(), Some(ErrorCode::Internal));
    assert_eq!(registry.open_resource(now, &camera, reservation.seat), Err(ErrorCode::TicketInUse));
    assert!(registry.ground(seat, Way::WebSocket).is_ok());
}

#[tokio::test]
async fn what_a_full_shard_refuses_reaches_it_later_and_in_order() {
    let (mut registry, shelf) = registry();
    let shard: Arc<dyn Shard> = Arc::new(OneShard(Arc::clone(&shelf)));
    shelf.is_full.store(true, SeqCst);
    registry.command(&shard, Owed::Mute(TransportId(1), Source::Camera, true));
    shelf.is_full.store(false, SeqCst);
    registry.command(&shard, Owed::Leave(TransportId(1)));
    assert!(shelf.commands().is_empty(), "the second waits behind the first");
    registry.sweep(Moment::now());
    let commands = shelf.commands();
    assert!(commands[0].starts_with("Mute") && commands[1].starts_with("Leave"), "{commands:?}");
}

#[tokio::test]
async fn one_who_writes_faster_than_lines_are_kept_is_told_so_and_holds_up_nobody_else() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let (first, mut hears) = enter(&mut registry, now, &claim(1)).expect("lets in");
    let (second, _notices) = enter(&mut registry, now, &claim(2)).expect("lets in");
    let mut take = |seat| registry.take_line(now, seat, LINE, Pii::new("hello".into()));
    let mut waiting: Vec<_> =
        (0..CHAT_LINES_WAITING_MAX).map(|_| take(first).expect("may write").expect("is here")).collect();
    assert_eq!(take(first).err(), Some(ErrorCode::ChatBusy));
    assert!(matches!(take(second), Ok(Some(_))));
    registry.drop_line(&waiting.remove(0), ErrorCode::ChatNotKept);
    assert!(matches!(hears.try_recv(), Ok(Notice::Objected(ErrorCode::ChatNotKept))));
    registry.pass_on(&waiting.remove(0));
    assert!(matches!(hears.try_recv(), Ok(Notice::Chat { .. })));
    for _ in 0..2 {
        assert!(matches!(registry.take_line(now, first, LINE, Pii::new("hello".into())), Ok(Some(_))));
    }
    assert_eq!(
        registry.take_line(now, first, LINE, Pii::new("hello".into())).err(),
        Some(ErrorCode::ChatBusy),
        "as many as were settled"
    );
}

#[tokio::test]
async fn nobody_gets_a_line_of_who_was_sent_out_before_it_was_kept_nor_of_who_is_not_here() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let (doctor, mut hears) = enter(&mut registry, now, &claim(1)).expect("lets in");
    let (rude, _notices) = enter(&mut registry, now, &claim(2)).expect("lets in");
    let line =
        registry.take_line(now, rude, LINE, Pii::new("rude".into())).expect("may write").expect("is here");
    let left =
        registry.take_line(now, doctor, LINE, Pii::new("bye".into())).expect("may write").expect("is here");
    registry.revoke_ticket(now, claim(2).ticket);
    registry.pass_on(&line);
    assert!(hears.try_recv().is_err());
    assert!(matches!(registry.take_line(now, rude, LINE, Pii::new("again".into())), Ok(None)));
    let (_, mut other) = enter(&mut registry, now, &claim(3)).expect("lets in");
    registry.depart(now, doctor, true);
    registry.pass_on(&left);
    assert!(matches!(other.try_recv(), Ok(Notice::Chat { .. })), "who left in good order has said it");
}
