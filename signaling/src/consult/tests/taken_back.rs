//! What opens nothing any more: taken back, run out, followed by another, of somebody who was sent out.

use super::*;

#[tokio::test]
async fn who_is_sent_out_by_staff_is_gone_and_comes_back_with_nothing_that_they_have() {
    let kept = Arc::new(Kept::default());
    let (mut registry, _) = registry_with(Arc::clone(&kept) as _);
    let now = Moment::now();
    let nurse = Claim { role: Role::Nurse, ..claim_by(1, 1) };
    let (nurse, _notices) = enter(&mut registry, now, &nurse).expect("lets in");
    let guest = claim_by(2, 2);
    let reservation = registry.reserve(now, &guest, Way::WebSocket).expect("a place");
    let (notices, mut hears) = mpsc::channel(OUTBOX_NOTICES_MAX);
    let Ok(Opening::Present(token)) = registry.open(now, &guest, &reservation, notices) else {
        panic!("lets in")
    };
    let guest = reservation.seat;
    assert_eq!(registry.remove(now, guest, nurse.participant), Err(ErrorCode::Forbidden), "not by a patient");
    assert_eq!(
        registry.remove(now, nurse, nurse.participant),
        Err(ErrorCode::Forbidden),
        "nobody themselves"
    );
    let glass = Glass { id: BreakGlassId::from_bytes([3; 16]), until_unix_s: now.unix_s() + 600 };
    let looking = Claim { role: Role::Provider, glass: Some(glass), ..claim_by(3, 3) };
    let (looking, _looks) = enter(&mut registry, now, &looking).expect("lets in");
    assert_eq!(
        registry.remove(now, looking, guest.participant),
        Err(ErrorCode::Forbidden),
        "not by who looks"
    );
    assert_eq!(registry.headcount().participants, 3);

    registry.remove(now, nurse, guest.participant).expect("staff may");
    assert!(matches!(hears.try_recv(), Ok(Notice::Goodbye(GoodbyeReason::Removed))));
    assert_eq!(registry.headcount().participants, 2);
    let resumed = registry.reserve(now, &Claim::from(*token), Way::WebSocket);
    assert_eq!(resumed.err(), Some(ErrorCode::TicketRevoked));
    assert_eq!(registry.reserve(now, &claim_by(2, 2), Way::Whip).err(), Some(ErrorCode::TicketRevoked));
    registry.remove(now, nurse, guest.participant).expect("again is no harm");

    let waits = Claim { waits: true, ..claim_by(4, 4) };
    let (waits, mut told) = enter(&mut registry, now, &waits).expect("waits");
    registry.remove(now, nurse, waits.participant).expect("from the waiting room, too");
    assert!(matches!(told.try_recv(), Ok(Notice::Goodbye(GoodbyeReason::Removed))));
    registry.scribe.flush().await;
    let removed = |n| Departure::Removed { by: nurse.participant, ticket: TicketId::from_bytes([n; 16]) };
    assert_eq!(kept.left(), [(2, Some(0), removed(2)), (4, Some(0), removed(4))], "once each");
}

#[tokio::test]
async fn a_resume_token_outlives_a_restart_of_the_node() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let participant = ParticipantNumber::new(3).expect("not zero");
    let resumes = Some(claim::Resumes { participant, generation: 7 });
    let (seat, _notices) = enter(&mut registry, now, &Claim { resumes, ..claim(1) }).expect("lets in");
    assert_eq!(seat.participant, participant);
    let (other, _others) = enter(&mut registry, now, &claim(2)).expect("lets in");
    assert_eq!(other.participant.csrc(), 4);
    let (slower, _slower) = enter(&mut registry, now, &Claim { resumes, ..claim(5) }).expect("lets in");
    assert_eq!(slower.participant.csrc(), 5, "a number has one owner");
    registry.confirm(now, seat);
    assert_eq!(
        enter(&mut registry, now, &Claim { resumes, ..claim(1) }).err(),
        Some(ErrorCode::TicketInUse),
        "each token once"
    );
}

#[tokio::test]
async fn a_resume_token_that_was_followed_by_another_does_not_outlive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tickets");
    let started = || {
        let ((mut registry, _), log) = (registry(), TicketLog::open(&path).expect("the log"));
        let handle = log.handle();
        registry.tickets = Tickets::restore(log);
        (registry, handle)
    };
    let ((mut registry, log), now) = (started(), Moment::now());
    let participant = ParticipantNumber::new(1).expect("not zero");
    let token = |ticket, generation| {
        let ticket = TicketId::from_bytes([ticket; 16]);
        Claim { resumes: Some(claim::Resumes { participant, generation }), ticket, ..claim(1) }
    };
    let (seat, _first) = enter(&mut registry, now, &claim(1)).expect("lets in");
    registry.confirm(now, seat);
    let (seat, _second) = enter(&mut registry, now, &token(1, 1)).expect("lets in");
    registry.confirm(now, seat);
    registry.confirm(now, seat);
    let other = Claim { ticket: TicketId::from_bytes([9; 16]), ..claim(1) };
    let (seat, _third) = enter(&mut registry, now, &other).expect("lets in");
    registry.confirm(now, seat);
    log.append(Vec::new()).await.expect("what was noted is written before");
    let (mut registry, _) = started();
    for (ticket, generation) in [(1, 1), (1, 2), (9, 1), (9, 2)] {
        let refused = enter(&mut registry, now, &token(ticket, generation)).err();
        assert_eq!(refused, Some(ErrorCode::TicketInUse), "{generation} of {ticket}");
    }
    enter(&mut registry, now, &token(9, 3)).expect("the newest brings back whoever was there");
}

#[tokio::test]
async fn who_came_by_break_glass_is_seen_to_have_and_leaves_when_it_runs_out() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    enter(&mut registry, now, &claim(1)).expect("lets in");
    let glass = Glass { id: BreakGlassId::from_bytes([3; 16]), until_unix_s: now.unix_s() + 600 };
    let nurse = Claim { role: Role::Nurse, glass: Some(glass), ..claim(2) };
    assert_eq!(registry.reserve(now, &nurse, Way::Whip).err(), Some(ErrorCode::Forbidden), "not unseen");
    let reservation = registry.reserve(now, &nurse, Way::WebSocket).expect("lets in");
    assert_eq!(reservation.who.break_glass, Some(glass.id), "the journal has it");
    let (notices, mut received) = mpsc::channel(OUTBOX_NOTICES_MAX);
    let Ok(Opening::Present(token)) = registry.open(now, &nurse, &reservation, notices) else {
        panic!("lets in")
    };
    assert_eq!(token.break_glass, Some(glass), "and whoever comes back has come so");
    let line = registry.take_line(now, reservation.seat, LINE, Pii::new("hello".into()));
    assert_eq!(line.err(), Some(ErrorCode::Forbidden), "to look, not to write");
    let waiting = Claim { waits: true, ..claim(3) };
    let (waits, mut patient) = enter(&mut registry, now, &waiting).expect("waits");
    registry.greet(reservation.seat);
    let admitted = registry.admit(now, reservation.seat, waits.participant);
    assert_eq!(admitted, Err(ErrorCode::Forbidden), "nor to let others in");
    assert!(patient.try_recv().is_err() && received.try_recv().is_err(), "nor told who waits");
    registry.depart(now, waits, true);
    let seen = registry.consults[&CONSULT].members.values().take(2).map(|m| m.as_person().break_glass);
    assert_eq!(seen.collect::<Vec<_>>(), [false, true]);

    registry.sweep(later(now, Duration::from_secs(598)));
    assert_eq!(registry.headcount().participants, 2);
    registry.sweep(later(now, Duration::from_secs(601)));
    assert_eq!(registry.headcount().participants, 1);
    let mut told = Vec::new();
    while let Ok(notice) = received.try_recv() {
        told.push(notice);
    }
    assert!(matches!(told.last(), Some(Notice::Refused(ErrorCode::TicketRevoked))), "{told:?}");
    let back = registry.reserve(now, &Claim::from(*token), Way::WebSocket);
    assert_eq!(back.err(), Some(ErrorCode::TicketRevoked), "for good");
    let too_late = Claim { ticket: TicketId::from_bytes([9; 16]), ..nurse };
    let after = later(now, Duration::from_secs(601));
    let refused = registry.reserve(after, &too_late, Way::WebSocket).err();
    assert_eq!(refused, Some(ErrorCode::TicketExpired), "nor for a moment");
}

#[tokio::test]
async fn a_barred_ticket_lets_nobody_in_nor_back_and_sends_nobody_out() {
    let (mut registry, _) = registry();
    let now = Moment::now();
    let (doctor, mut hears) = enter(&mut registry, now, &claim(1)).expect("lets in");
    let patient = Claim { waits: true, ..claim(2) };
    let reservation = registry.reserve(now, &patient, Way::WebSocket).expect("may wait");
    let (notices, mut received) = mpsc::channel(OUTBOX_NOTICES_MAX);
    assert!(matches!(registry.open(now, &patient, &reservation, notices), Ok(Opening::Waiting)));
    assert_eq!((registry.headcount().participants, registry.headcount().waiting), (1, 1));
    for number in 1..=3 {
        registry.bar_ticket(now, claim(number).ticket);
    }
    assert_eq!((registry.headcount().participants, registry.headcount().waiting), (1, 0));
    let mut told = Vec::new();
    while let Ok(notice) = received.try_recv() {
        told.push(notice);
    }
    assert!(matches!(told.last(), Some(Notice::Refused(ErrorCode::TicketRevoked))), "{told:?}");
    let new = registry.reserve(now, &claim(3), Way::WebSocket).err();
    assert_eq!(new, Some(ErrorCode::TicketRevoked));
    say(&mut registry, now, doctor);
    assert!(matches!(hears.try_recv(), Ok(Notice::Chat { .. })), "who stays is heard");
    let revoked = [1, 2].map(|number| registry.is_revoked(claim(number).ticket));
    assert_eq!(revoked, [false, true], "and has what their ticket gave");
    registry.depart(now, doctor, false);
    let resumes = Some(claim::Resumes { participant: doctor.participant, generation: 0 });
    let back = Claim { resumes, ..claim(1) };
    assert_eq!(registry.reserve(now, &back, Way::WebSocket).err(), Some(ErrorCode::TicketRevoked));
}
