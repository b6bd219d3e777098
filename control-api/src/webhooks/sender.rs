//! The request that takes a message to a webhook.

use std::sync::Arc;

use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderValue},
};

use super::{MessageId, WebhookSecret, WebhookUrl};
use crate::{
    Networks,
    limits::{WEBHOOK_CONNECT_TIMEOUT, WEBHOOK_TIMEOUT},
    outbound,
};

/// Why nobody took a message. It names no URL: those may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The name leads to addresses that nothing is sent to.
    #[error("the address is not allowed")]
    AddressRefused,
    /// No connection, no TLS, no answer in time.
    #[error("there was no answer")]
    NoAnswer,
}

/// Sends messages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WebhookSender {
    client: Client,
    allowed: Arc<Networks>,
}

impl WebhookSender {
    /// One that reaches the world, and these networks. Panics where the system has no certificates at all.
    pub fn new(allowed: Networks) -> Self {
        let allowed = Arc::new(allowed);
        let client = outbound::client(allowed.clone(), WEBHOOK_CONNECT_TIMEOUT, WEBHOOK_TIMEOUT);
        Self { client, allowed }
    }

    /// Networks that messages may go to besides the world.
    pub fn allowed(&self) -> &Networks {
        &self.allowed
    }

    /// Makes one attempt; the status of the answer, whose body is not read.
    pub async fn send(
        &self,
        url: &WebhookUrl,
        secret: &WebhookSecret,
        id: MessageId,
        now_s: i64,
        body: String,
    ) -> Result<u16, NotSent> {
        let request = self
            .client
            .post(url.reveal().clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", now_s)
            .header("webhook-signature", secret.sign(id, now_s, &body))
            .body(body);
        let answer = request.send().await;
        answer.map(|answer| answer.status().as_u16()).map_err(|error| fault_of(&error))
    }
}

fn fault_of(error: &reqwest::Error) -> NotSent {
    if outbound::is_refused(error) { NotSent::AddressRefused } else { NotSent::NoAnswer }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent_to(name: &str, allowed: &[&str]) -> Result<u16, NotSent> {
        let sender = WebhookSender::new(Networks::parse(allowed).expect("networks"));
        let url = WebhookUrl::parse(&format!("https://{name}/"), sender.allowed()).expect("a URL");
        sender.send(&url, &WebhookSecret::draw(), MessageId::from_bytes([1; 16]), 0, String::new()).await
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_unless_allowed() {
        // Port 9 of this machine: nobody listens there.
        assert_eq!(sent_to("localhost:9", &[]).await, Err(NotSent::AddressRefused));
        assert_eq!(sent_to("localhost:9", &["127.0.0.0/8", "::1"]).await, Err(NotSent::NoAnswer));
    }
}
