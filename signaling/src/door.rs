//! From a ticket to a place in a consult: verified, kept, written down, and only then opened.

use std::time::Duration;

use media_model::Pii;
use signaling_protocol::{
    client::Hello,
    error::ErrorCode,
    limits::SLOTS_INITIAL,
    server::Welcome,
    ticket::{LEEWAY_S, ResumeToken, Token, Verifier},
};
use tokio::sync::mpsc;

use crate::{
    Shared,
    api_tokens::Visitor,
    consult::{Claim, Moment, Opening, Remembered, Reservation, Seat},
    counters::Counters,
    journal::{Departure, Entry, Way, What, Who},
    origin::Page,
    session::{self, Notice},
};

/// Who a WebSocket's `hello` speaks for.
pub(crate) fn believe_hello(
    shared: &Shared,
    now: Moment,
    page: &Page,
    hello: &Hello,
) -> Result<Claim, ErrorCode> {
    match (&hello.ticket, &hello.resume_token) {
        (Some(ticket), None) => believe_ticket(shared, now, page, ticket.reveal()),
        (None, Some(token)) => believe(shared, &shared.resume_verifier, now, page, token.reveal()),
        _ => Err(ErrorCode::MessageMalformed),
    }
}

/// Who a ticket speaks for. The node that it may name is a hint.
pub(crate) fn believe_ticket(
    shared: &Shared,
    now: Moment,
    page: &Page,
    ticket: &str,
) -> Result<Claim, ErrorCode> {
    believe(shared, &shared.tickets, now, page, ticket)
}

/// Who a token speaks for. A false one is counted; of a genuine one that came too late or too early it is known whose it is.
fn believe<T: Token + Into<Claim>>(
    shared: &Shared,
    verifier: &Verifier<T>,
    now: Moment,
    page: &Page,
    token: &str,
) -> Result<Claim, ErrorCode> {
    let turned_away = |code| shared.journal.turned_away(code, page.call.address.clone());
    let genuine = verifier.genuine(token).map_err(ErrorCode::from).inspect_err(|code| turned_away(*code))?;
    let in_time = genuine.check_time(now.unix_s()).map_err(ErrorCode::from);
    let claim = Claim { call: Some(page.call.clone()), ..genuine.into() };
    if let Err(code) = in_time {
        if shared.may_note_late(now) {
            refused(shared, now, &claim, code);
        } else {
            turned_away(code);
        }
        return Err(code);
    }
    Ok(claim)
}

/// Turns away a page of another tenant's, whatever ticket it has. The ticket stays unused.
pub(crate) fn check_page(shared: &Shared, now: Moment, page: &Page, claim: &Claim) -> Result<(), ErrorCode> {
    if page.is_for(shared, claim.tenant) {
        return Ok(());
    }
    Counters::add(&shared.counters.origins_refused);
    refused(shared, now, claim, ErrorCode::Forbidden);
    Err(ErrorCode::Forbidden)
}

/// Lets a WebSocket in, or into the waiting room.
pub(crate) async fn enter(
    shared: &Shared,
    page: &Page,
    hello: &Hello,
    notices: mpsc::Sender<Notice>,
) -> Result<(Seat, session::Entry), ErrorCode> {
    let now = Moment::now();
    let claim = believe_hello(shared, now, page, hello)?;
    check_page(shared, now, page, &claim)?;
    let reservation = reserve(shared, now, &claim, Way::WebSocket).await?;
    let seat = reservation.seat;
    let opening = shared.registry().open(Moment::now(), &claim, &reservation, notices);
    // Taken back while the journal was written.
    let opening =
        opening.inspect_err(|code| refused_late(shared, Moment::now(), &claim, &reservation, *code))?;
    Ok(match opening {
        Opening::Present(token) => (seat, session::Entry::Welcome(welcome(shared, *token))),
        Opening::Waiting => (seat, session::Entry::Waiting),
    })
}

/// Keeps a place and writes down who comes; where that cannot be written, nobody comes.
pub(crate) async fn reserve(
    shared: &Shared,
    now: Moment,
    claim: &Claim,
    way: Way,
) -> Result<Reservation, ErrorCode> {
    let reserved = shared.registry().reserve(now, claim, way);
    let reservation = match reserved {
        Ok(reservation) => reservation,
        Err(code) => {
            refused(shared, now, claim, code);
            return Err(code);
        }
    };
    if reservation.is_return {
        return Ok(reservation);
    }
    let what = if reservation.waits { What::Waited } else { What::Joined(way) };
    let (written, remembered) = tokio::join!(
        write(shared, now, claim, reservation.who.clone(), what),
        remember_use(shared, claim, way)
    );
    if written.and(remembered).is_err() {
        shared.registry().give_up(claim, way);
        return Err(ErrorCode::Internal);
    }
    Ok(reservation)
}

/// Has the node remember that this ticket is used up, also when it starts again.
async fn remember_use(shared: &Shared, claim: &Claim, way: Way) -> Result<(), ErrorCode> {
    let Some(log) = shared.ticket_log.as_ref().filter(|_| claim.resumes.is_none()) else { return Ok(()) };
    let until_unix_s = claim.expires_unix_s.saturating_add(LEEWAY_S);
    let used = Remembered::Used { ticket: claim.ticket, way, until_unix_s };
    log.append(used.encode().to_vec()).await.map_err(|error| {
        tracing::error!(%error, "a ticket's use cannot be written down");
        ErrorCode::Internal
    })
}

/// Notes that somebody whose ticket is genuine was turned away.
pub(crate) fn refused(shared: &Shared, now: Moment, claim: &Claim, code: ErrorCode) {
    shared.scribe.note(entry(now, claim, claim.as_who(), What::Refused(code)));
}

/// The same of somebody of whom the journal has already that they came.
fn refused_late(shared: &Shared, now: Moment, claim: &Claim, reservation: &Reservation, code: ErrorCode) {
    refused(shared, now, claim, code);
    if !reservation.is_return {
        let left = entry(now, claim, reservation.who.clone(), What::Left(Departure::Lost));
        shared.scribe.note(Entry { lasted: Some(Duration::ZERO), ..left });
    }
}

async fn write(shared: &Shared, now: Moment, claim: &Claim, who: Who, what: What) -> Result<(), ErrorCode> {
    shared.scribe.write(entry(now, claim, who, what)).await.map_err(|_| ErrorCode::Internal)
}

fn entry(now: Moment, claim: &Claim, who: Who, what: What) -> Entry {
    Entry {
        tenant: Some(claim.tenant),
        consult: Some(claim.consult),
        who: Some(who),
        call: claim.call.clone(),
        ..Entry::of(now.wall, what)
    }
}

/// Welcomes somebody who was let in from the waiting room, once that is written down.
pub(crate) async fn welcome_admitted(
    shared: &Shared,
    seat: Seat,
    by: media_model::ParticipantNumber,
) -> Result<session::Entry, ErrorCode> {
    let now = Moment::now();
    let (tenant, who, call) = shared.registry().admitted(seat)?;
    let (tenant, consult, who) = (Some(tenant), Some(seat.consult), Some(who));
    let entry = Entry { tenant, consult, who, call, ..Entry::of(now.wall, What::Admitted { by }) };
    if shared.scribe.write(entry).await.is_err() {
        shared.registry().unadmit(Moment::now(), seat);
        return Err(ErrorCode::Internal);
    }
    let token = shared.registry().welcome(Moment::now(), seat)?;
    Ok(session::Entry::Welcome(welcome(shared, token)))
}

fn welcome(shared: &Shared, token: ResumeToken) -> Welcome {
    let signed = shared.resume_signer.sign(&token);
    // Who broke a glass has signed in, and looks at the patient's record by that: a role in the visit opens more than a glass does.
    let visitor = token.break_glass.is_none().then(|| Visitor::of(&token));
    let api_token = visitor.and_then(|visitor| shared.api_tokens.issue(&visitor));
    Welcome {
        consult: token.consult,
        participant: token.participant,
        role: token.role,
        display_name: token.display_name,
        slots: SLOTS_INITIAL,
        resume_token: Pii::new(signed),
        api_token,
    }
}
