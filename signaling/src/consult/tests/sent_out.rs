//! Who is sent out, or leaves, while something of theirs is under way; who was in a consult; what is asked for again and again.

use super::*;
use crate::limits::{CAME_WITH_MAX, ENDED_CONSULT_KEPT, FORBIDDEN_INTERVAL};

/// The first person of each of these tests, who lets in and sends out.
fn nurse(registry: &mut Registry, now: Moment) -> (Seat, mpsc::Receiver<Notice>) {
    let nurse = Claim { role: Role::Nurse, ..claim_by(1, 1) };
    enter(registry, now, &nurse).expect("lets in")
}

/// A person with this ticket, who waits to be let in.
fn guest(ticket: u8) -> Claim {
    Claim { waits: true, ..claim_by(2, ticket) }
}

fn ticket(number: u8) -> TicketId {
    TicketId::from_bytes([number; 16])
}

/// Takes the place that was reserved; in what they are then.
fn open(
    registry: &mut Registry,
    now: Moment,
    claim: &Claim,
    reserved: &Reservation,
) -> Result<bool, ErrorCode> {
    let (notices, _) = mpsc::channel(OUTBOX_NOTICES_MAX);
    let opening = registry.open(now, claim, reserved, notices)?;
    Ok(matches!(opening, Opening::Present(_)))
}

/// Comes in, is let in, and says something, so that their page is known to have come.
fn admitted(registry: &mut Registry, now: Moment, nurse: Seat, ticket: u8) -> Seat {
    let (seat, _notices) = enter(registry, now, &guest(ticket)).expect("may come");
    registry.admit(now, nurse, seat.participant).expect("staff may");
    registry.confirm(now, seat);
    seat
}

#[tokio::test]
async fn who_is_sent_out_loses_each_ticket_that_they_ever_came_with() {
    let kept = Arc::new(Kept::default());
    let (mut registry, _) = registry_with(Arc::clone(&kept) as _);
    let now = Moment::now();
    let (nurse, _notices) = nurse(&mut registry, now);
    admitted(&mut registry, now, nurse, 2);
    admitted(&mut registry, now, nurse, 3);
    let camera = Claim { waits: false, ..guest(4) };
    let seat = admitted(&mut registry, now, nurse, 5);
    registry.depart(now, seat, true);
    let reserved = registry.reserve(now, &camera, Way::Whip).expect("a place");
    registry.open_resource(now, &camera, reserved.seat).expect("opens");
    let seat = admitted(&mut registry, now, nurse, 6);
    registry.remove(now, nurse, seat.participant).expect("staff may");
    let is_revoked = [2, 3, 4, 5, 6].map(|number| registry.is_revoked(ticket(number)));
    assert_eq!(is_revoked, [true; 5]);
    assert!(!registry.is_revoked(ticket(1)), "the nurse's");

    for number in 0..=u8::try_from(CAME_WITH_MAX).expect("few") {
        let seat = admitted(&mut registry, now, nurse, 100 + number);
        registry.depart(now, seat, true);
    }
    let member = registry.member(CONSULT, seat.participant).expect("known");
    assert_eq!(member.tickets().filter(|known| *known == ticket(100)).count(), 0, "the oldest made room");
    assert_eq!(member.tickets().count(), CAME_WITH_MAX + 1);
}

#[tokio::test]
async fn who_has_just_left_is_sent_out_for_good_too_and_that_is_put_down_once() {
    let kept = Arc::new(Kept::default());
    let (mut registry, _) = registry_with(Arc::clone(&kept) as _);
    let now = Moment::now();
    let (nurse, _notices) = nurse(&mut registry, now);
    let guest = admitted(&mut registry, now, nurse, 2);
    registry.depart(later(now, Duration::from_secs(7)), guest, true);
    registry.remove(now, nurse, guest.participant).expect("staff may");
    registry.remove(now, nurse, guest.participant).expect("again is no harm");
    assert!(registry.is_revoked(ticket(2)));
    registry.scribe.flush().await;
    let removed = Departure::Removed { by: nurse.participant, ticket: ticket(2) };
    assert_eq!(kept.left(), [(2, Some(7), Departure::Left), (0, None, removed)]);
}

#[tokio::test]
async fn nobody_slips_past_the_waiting_room_who_was_sent_out_or_left_while_their_coming_was_written_down() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let (nurse, _notices) = nurse(&mut registry, now);
    let seat = admitted(&mut registry, now, nurse, 2);
    let reserved = registry.reserve(now, &guest(3), Way::WebSocket).expect("a place");
    assert!(!reserved.waits, "whose page is loaded again");
    registry.remove(now, nurse, seat.participant).expect("staff may");
    assert_eq!(open(&mut registry, now, &guest(3), &reserved), Err(ErrorCode::TicketRevoked));
    assert_eq!(registry.reserve(now, &guest(3), Way::WebSocket).err(), Some(ErrorCode::TicketRevoked));

    let seat = admitted(&mut registry, now, nurse, 4);
    let reserved = registry.reserve(now, &guest(5), Way::WebSocket).expect("a place");
    registry.depart(now, seat, true);
    assert_eq!(open(&mut registry, now, &guest(5), &reserved), Err(ErrorCode::Internal), "tries again");
    let reserved = registry.reserve(now, &guest(5), Way::WebSocket).expect("with the same ticket");
    assert!(reserved.waits);
    assert_eq!(open(&mut registry, now, &guest(5), &reserved), Ok(false), "and waits");

    let seat = admitted(&mut registry, now, nurse, 6);
    registry.depart(now, seat, false);
    let reserved = registry.reserve(now, &guest(7), Way::WebSocket).expect("a place");
    let resumes = Some(claim::Resumes { participant: seat.participant, generation: 0 });
    let back = Claim { waits: false, resumes, ..guest(6) };
    let resumed = registry.reserve(now, &back, Way::WebSocket).expect("a place");
    assert!(resumed.is_return);
    registry.sweep(later(now, RESUME_GRACE));
    assert_eq!(open(&mut registry, now, &guest(7), &reserved), Err(ErrorCode::Internal));
    assert_eq!(
        open(&mut registry, now, &back, &resumed),
        Err(ErrorCode::Internal),
        "whose coming nobody has"
    );
    assert_eq!(registry.headcount().participants, 1, "the nurse");
}

#[tokio::test]
async fn who_is_in_a_consult_is_known_and_for_a_while_who_was_when_it_was_ended() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let (person, other) = (guest(2).person, claim(3).person);
    assert!(!registry.is_in(CONSULT, &person), "of a consult that is not here");
    let (nurse, _notices) = nurse(&mut registry, now);
    let (seat, _waits) = enter(&mut registry, now, &guest(2)).expect("may wait");
    assert!(!registry.is_in(CONSULT, &person), "who waits");
    registry.admit(now, nurse, seat.participant).expect("staff may");
    assert!(registry.is_in(CONSULT, &person) && !registry.is_in(CONSULT, &other));
    registry.depart(now, seat, false);
    assert!(registry.is_in(CONSULT, &person), "whose line is down for a moment");
    registry.sweep(later(now, RESUME_GRACE));
    assert!(!registry.is_in(CONSULT, &person), "who did not come back");
    let seat = admitted(&mut registry, now, nurse, 4);
    registry.depart(now, seat, true);
    assert!(!registry.is_in(CONSULT, &person), "who left");
    admitted(&mut registry, now, nurse, 5);
    let (gone, _notices) = enter(&mut registry, now, &claim(3)).expect("lets in");
    registry.depart(now, gone, true);

    registry.end_consult(now, CONSULT);
    registry.end_consult(now, CONSULT);
    registry.sweep(later(now, ENDED_CONSULT_KEPT - Duration::from_secs(1)));
    assert!(registry.is_in(CONSULT, &person) && !registry.is_in(CONSULT, &other));
    registry.sweep(later(now, ENDED_CONSULT_KEPT));
    assert!(!registry.is_in(CONSULT, &person));
}

#[tokio::test]
async fn each_thing_that_somebody_may_not_do_is_put_down_and_how_often_they_ask_again() {
    let kept = Arc::new(Kept::default());
    let (mut registry, _) = registry_with(Arc::clone(&kept) as _);
    let now = Moment::now();
    let (nurse, _notices) = nurse(&mut registry, now);
    let watches = Claim { role: Role::Observer, ..claim(3) };
    let (seat, _watches) = enter(&mut registry, now, &watches).expect("lets in");
    for _ in 0..5 {
        assert_eq!(registry.remove(now, seat, nurse.participant), Err(ErrorCode::Forbidden));
        assert_eq!(registry.admit(now, seat, nurse.participant), Err(ErrorCode::Forbidden));
        let line = registry.take_line(now, seat, LINE, Pii::new("hello".into()));
        assert_eq!(line.err(), Some(ErrorCode::Forbidden));
    }
    registry.sweep(later(now, FORBIDDEN_INTERVAL - Duration::from_secs(1)));
    registry.scribe.flush().await;
    let forbade = || kept.forbade.lock().expect("not poisoned").clone();
    let each = |times| [(Forbidden::Removal, times), (Forbidden::Admission, times), (Forbidden::Chat, times)];
    assert_eq!(forbade(), each(1));
    let after = later(now, FORBIDDEN_INTERVAL);
    registry.sweep(after);
    assert_eq!(registry.remove(after, seat, nurse.participant), Err(ErrorCode::Forbidden));
    registry.depart(after, seat, true);
    registry.scribe.flush().await;
    let expected = [&each(1)[..], &each(4), &[(Forbidden::Removal, 1)]].concat();
    assert_eq!(forbade(), expected, "also of who leaves");
}
