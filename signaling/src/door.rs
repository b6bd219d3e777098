//! From a ticket to a place in a consult: verified, kept, written down, and only then opened.

use media_model::Pii;
use signaling_protocol::{
    client::Hello,
    error::ErrorCode,
    limits::{SLOTS_INITIAL, TOKEN_BYTES_MAX},
    server::Welcome,
    ticket::{LEEWAY_S, ResumeToken},
};
use tokio::sync::mpsc;

use crate::{
    Shared,
    api_tokens::Visitor,
    consult::{Claim, Moment, Opening, Remembered, Reservation, Seat},
    counters::Counters,
    journal::{Entry, Way, What, Who},
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
        (None, Some(token)) => {
            let token = shared.resume_verifier.verify(token.reveal(), now.unix_s()).map_err(ErrorCode::from);
            Ok(token.inspect_err(|code| note_unbelieved(shared, now, page, *code))?.into())
        }
        _ => Err(ErrorCode::MessageMalformed),
    }
}

/// Who a ticket speaks for.
pub(crate) fn believe_ticket(
    shared: &Shared,
    now: Moment,
    page: &Page,
    ticket: &str,
) -> Result<Claim, ErrorCode> {
    let verified = match ticket.len() {
        0..=TOKEN_BYTES_MAX => shared.tickets.verify(ticket, now.unix_s()).map_err(ErrorCode::from),
        _ => Err(ErrorCode::TicketInvalid),
    };
    Ok(verified.inspect_err(|code| note_unbelieved(shared, now, page, *code))?.into())
}

/// Turns away a page of another tenant's, whatever ticket it has. The ticket stays unused.
pub(crate) fn check_page(shared: &Shared, now: Moment, page: &Page, claim: &Claim) -> Result<(), ErrorCode> {
    if page.is_for(shared, claim.tenant) {
        return Ok(());
    }
    Counters::add(&shared.counters.origins_refused);
    refused(shared, now, Some(claim), ErrorCode::Forbidden);
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
    let opening = opening.inspect_err(|code| refused(shared, Moment::now(), Some(&claim), *code))?;
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
            refused(shared, now, Some(claim), code);
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
pub(crate) fn refused(shared: &Shared, now: Moment, claim: Option<&Claim>, code: ErrorCode) {
    let (tenant, consult) = claim.map(|claim| (claim.tenant, claim.consult)).unzip();
    shared.scribe.note(Entry { at: now.wall, tenant, consult, who: None, what: What::Refused(code) });
}

/// Notes a genuine ticket that came too late or too early: whose it was, its error does not say. A false one is counted.
fn note_unbelieved(shared: &Shared, now: Moment, page: &Page, code: ErrorCode) {
    if code != ErrorCode::TicketExpired {
        shared.journal.turned_away(code, page.address.clone());
    } else if shared.may_note_late(now) {
        refused(shared, now, None, code);
    }
}

async fn write(shared: &Shared, now: Moment, claim: &Claim, who: Who, what: What) -> Result<(), ErrorCode> {
    let (tenant, consult) = (Some(claim.tenant), Some(claim.consult));
    let entry = Entry { at: now.wall, tenant, consult, who: Some(who), what };
    shared.scribe.write(entry).await.map_err(|_| ErrorCode::Internal)
}

/// Welcomes somebody who was let in from the waiting room, once that is written down.
pub(crate) async fn welcome_admitted(
    shared: &Shared,
    seat: Seat,
    by: media_model::ParticipantNumber,
) -> Result<session::Entry, ErrorCode> {
    let now = Moment::now();
    let (tenant, who) = shared.registry().admitted(seat)?;
    let (tenant, consult) = (Some(tenant), Some(seat.consult));
    let entry = Entry { at: now.wall, tenant, consult, who: Some(who), what: What::Admitted { by } };
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
