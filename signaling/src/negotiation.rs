//! From an offer to an answer, by way of the shard.

use std::{fmt::Write as _, sync::Arc};

use aws_lc_rs::rand;
use media_engine::api::IceCredentials;
use media_model::TransportId;
use signaling_protocol::{client::Offer, error::ErrorCode, ticket::TicketId};

use crate::{
    Shared,
    consult::{Coming, Ground, Moment, Seat, refusal_code},
    journal::Way,
    limits::SHARD_TIMEOUT,
    sdp::{self, Negotiated, Ours, SdpError},
    session::Notice,
};

/// An offer that was answered, and that the shard has taken.
pub(crate) struct Answered {
    /// What goes before the answer: a page that hears first that it is muted does not turn itself on.
    pub(crate) muted: Vec<Notice>,
    pub(crate) sdp: String,
    /// The new transport, where there is one.
    pub(crate) transport: Option<TransportId>,
    /// The server's ICE user fragment: it names the ICE session.
    pub(crate) ufrag: Arc<str>,
}

/// Answers an offer for the person in this seat.
///
/// Errors: [`ErrorCode::OfferInvalid`], [`ErrorCode::ConsultFull`], [`ErrorCode::NodeFull`], [`ErrorCode::Internal`]; nothing
/// has changed then.
pub(crate) async fn negotiate(
    shared: &Shared,
    seat: Seat,
    way: Way,
    session: Option<(TicketId, Coming)>,
    offer: &Offer,
) -> Result<Answered, ErrorCode> {
    let ground = shared.registry().ground(seat, way)?;
    let agreed = answer(shared, &ground, offer)?;
    let (sdp, ufrag) = (agreed.negotiated.answer.clone(), Arc::clone(&agreed.negotiated.ice_local.ufrag));
    let placed = if agreed.goes_on {
        shared.registry().renegotiate(seat, way, agreed.negotiated)
    } else {
        shared.registry().join(Moment::now(), seat, way, session, agreed.negotiated)
    }?;
    let muted = placed.muted;
    let Some((transport, replied)) = placed.joining else {
        return Ok(Answered { muted, sdp, transport: None, ufrag });
    };
    match tokio::time::timeout(SHARD_TIMEOUT, replied).await {
        Ok(Ok(Ok(()))) => Ok(Answered { muted, sdp, transport: Some(transport), ufrag }),
        Ok(Ok(Err(refusal))) => Err(refusal_code(refusal)),
        Ok(Err(_)) | Err(_) => {
            shared.registry().remove_transport(Moment::now(), transport, false);
            Err(ErrorCode::Internal)
        }
    }
}

struct Agreed {
    negotiated: Negotiated,
    /// Whether the running transport goes on with it.
    goes_on: bool,
}

fn answer(shared: &Shared, ground: &Ground, offer: &Offer) -> Result<Agreed, ErrorCode> {
    let candidates = ground.shard.candidates();
    let ours = Ours {
        fresh_ice: fresh_ice()?,
        fingerprint: shared.media.fingerprint(),
        candidates: &candidates,
        decodable: ground.decoded_by_all.as_ref(),
        previous: ground.previous.as_deref(),
    };
    let mut random = Random::default();
    let (answer, goes_on) = match sdp::answer(offer, &ours, &mut || random.next()) {
        // Another certificate is another association, so another transport (RFC 8842 §5.5): a reloaded page. So is
        // another session with a certificate that was kept.
        Err(SdpError::FingerprintChanged | SdpError::SessionChanged) => {
            (sdp::answer(offer, &Ours { previous: None, ..ours }, &mut || random.next()), false)
        }
        answer => (answer, ground.previous.is_some()),
    };
    if random.failed {
        return Err(ErrorCode::Internal);
    }
    let negotiated = answer.inspect_err(|error| tracing::info!(%error, "offer refused"))?;
    Ok(Agreed { negotiated, goes_on })
}

/// Credentials that nobody has: 64 and 128 random bits (RFC 8839 §5.4 asks for 24 and 128).
pub(crate) fn fresh_ice() -> Result<IceCredentials, ErrorCode> {
    Ok(IceCredentials { ufrag: random_hex::<8>()?.into(), password: random_hex::<16>()?.into() })
}

/// `N` bytes from the secure random source, in hexadecimal.
pub(crate) fn random_hex<const N: usize>() -> Result<String, ErrorCode> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| ErrorCode::Internal)?;
    Ok(bytes.iter().fold(String::with_capacity(2 * N), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Secure random numbers; that the source failed is found out at the end.
#[derive(Default)]
struct Random {
    failed: bool,
}

impl Random {
    fn next(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.failed |= rand::fill(&mut bytes).is_err();
        u32::from_ne_bytes(bytes)
    }
}
