//! From a track's packet to a slot's packet: the selector decides, the rewriter counts, the header is written anew.

mod packet;
mod retransmission;
mod rewriter;
mod selector;

pub use packet::{Content, Stream};
pub use retransmission::Retransmission;
pub use rewriter::{Numbers, PictureIds, Rewriter, Rewritten};
pub use selector::{Pass, Single};
