//! The media plane: pinned threads that carry plans out.

use tokio::sync::{mpsc, oneshot};

use crate::plan::{ReceivePlan, Shown, TransportPlan};

/// The running media plane, as adapters see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MediaPlane {
    fingerprint: [u8; 32],
    commands: mpsc::UnboundedSender<Command>,
}

/// What a thread of the media plane is told.
#[derive(Debug)]
pub enum Command {
    /// A new transport.
    Start(u32, Box<TransportPlan>, oneshot::Sender<Result<(), TransportFailed>>),
    /// More streams on it.
    Receive(u32, Vec<ReceivePlan>),
    /// A stream carries somebody else's media now.
    Show(u32, u32, Option<Shown>),
    /// The end.
    Stop(u32),
}

/// Why a transport did not come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportFailed {
    /// No ICE check was answered in time.
    #[error("no ICE check was answered")]
    Ice,
    /// DTLS failed or took too long.
    #[error("the DTLS handshake failed")]
    Dtls,
    /// The certificate is not the one in the SDP.
    #[error("the certificate is not the one in the SDP")]
    Fingerprint,
    /// No socket could be had.
    #[error("no socket could be opened")]
    Socket,
    /// It was stopped, or the media plane has ended.
    #[error("the transport was stopped")]
    Stopped,
}

impl MediaPlane {
    /// SHA-256 of the certificate that every transport shows, for `a=fingerprint:sha-256`.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Begins to carry out a plan: ICE, DTLS, then media at once.
    pub fn start(&self, plan: TransportPlan) -> TransportHandle {
        let (connects, connected) = oneshot::channel();
        let id = plan.participant; // for now
        let _ = self.commands.send(Command::Start(id, Box::new(plan), connects));
        TransportHandle { id, commands: self.commands.clone(), connected: Some(connected) }
    }
}

/// One started transport. Dropped, it stops without a goodbye.
#[derive(Debug)]
pub struct TransportHandle {
    id: u32,
    commands: mpsc::UnboundedSender<Command>,
    connected: Option<oneshot::Receiver<Result<(), TransportFailed>>>,
}

impl TransportHandle {
    /// Waits until keys are agreed on, which may take 10 s at most. A second call answers at once.
    pub async fn connected(&mut self) -> Result<(), TransportFailed> {
        match self.connected.take() {
            Some(connected) => connected.await.unwrap_or(Err(TransportFailed::Stopped)),
            None => Ok(()),
        }
    }

    /// Adds streams that came by renegotiation. One whose SSRC is known already is taken as new.
    pub fn receive(&self, streams: Vec<ReceivePlan>) {
        let _ = self.commands.send(Command::Receive(self.id, streams));
    }

    /// Says whose media the stream with this SSRC carries from now on. Packets of the one before are tolerated for a second.
    pub fn show(&self, ssrc: u32, shown: Option<Shown>) {
        let _ = self.commands.send(Command::Show(self.id, ssrc, shown));
    }
}

impl Drop for TransportHandle {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop(self.id));
    }
}
