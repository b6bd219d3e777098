//! WHIP and WHEP: what the lines are for when nobody says so.

use signaling_protocol::client::Offer;

use super::SdpError;

/// WHIP (RFC 9725): the first audio line that sends is the microphone, the first such video line the camera.
pub fn whip_offer(sdp: String) -> Result<Offer, SdpError> {
    let _ = sdp;
    Err(SdpError::NotSdp)
}

/// WHEP: the k-th audio and the k-th video line that receive are camera slot pair k.
pub fn whep_offer(sdp: String) -> Result<Offer, SdpError> {
    let _ = sdp;
    Err(SdpError::NotSdp)
}
