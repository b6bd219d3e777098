//! What becomes of each line.

use signaling_protocol::client::Offer;

use super::{Negotiated, Ours, SdpError};

pub(super) fn answer(
    offer: &Offer,
    ours: &Ours<'_>,
    random: &mut dyn FnMut() -> u32,
) -> Result<Negotiated, SdpError> {
    let _ = (offer, ours, random);
    Err(SdpError::NotSdp)
}
