//! The signaling of a node: WebSocket, WHIP and WHEP, the waiting room, and the SDP answerer.

pub mod sdp;
