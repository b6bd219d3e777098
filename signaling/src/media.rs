//! What signaling needs of the media plane: a shard for a consult, and a way to send it commands.

use std::{net::SocketAddr, sync::Arc};

use media_engine::api::Command;
pub use media_io::Overloaded;
use media_io::{MediaNode, ShardHandle};
use media_model::ConsultId;

/// The media node, as signaling sees it.
pub trait MediaPlane: Send + Sync {
    /// The shard that carries this consult: the same one until it is released.
    fn place(&self, consult: ConsultId) -> Result<Arc<dyn Shard>, Overloaded>;
    /// Nobody is in this consult any more.
    fn release(&self, consult: ConsultId);
    /// SHA-256 of the node's DTLS certificate.
    fn fingerprint(&self) -> [u8; 32];
}

/// One shard's mailbox.
pub trait Shard: Send + Sync {
    /// Where clients reach it.
    fn candidates(&self) -> Vec<SocketAddr>;
    /// Puts a command into its bounded mailbox.
    fn send(&self, command: Command) -> Result<(), Overloaded>;
}

impl MediaPlane for MediaNode {
    fn place(&self, consult: ConsultId) -> Result<Arc<dyn Shard>, Overloaded> {
        Ok(Arc::new(self.place(consult)?))
    }

    fn release(&self, consult: ConsultId) {
        self.release(consult);
    }

    fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint()
    }
}

impl Shard for ShardHandle {
    fn candidates(&self) -> Vec<SocketAddr> {
        self.candidates()
    }

    fn send(&self, command: Command) -> Result<(), Overloaded> {
        self.send(command)
    }
}
