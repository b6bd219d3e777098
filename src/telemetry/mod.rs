//! Logs and metrics. Neither ever holds a name, a person's id, a ticket or an address of a participant.

mod metrics;

use std::io::IsTerminal as _;

use tracing::Level;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

pub use metrics::Metrics;

/// Crates that log whole messages, tickets and names among them, below this level. `RUST_LOG` cannot lower it.
const QUIET: [(&str, Level); 4] = [
    ("tungstenite", Level::INFO),
    ("tokio_tungstenite", Level::INFO),
    ("hyper", Level::INFO),
    ("sqlx", Level::WARN),
];

/// Logs to standard error: lines for people at a terminal, JSON for machines elsewhere. `RUST_LOG` chooses what.
pub fn start_logging() {
    let chosen = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Both in one filter: what neither lets through is then dropped before it is made, in other crates too.
    let chosen = chosen.and(quiet());
    let registry = tracing_subscriber::registry();
    if std::io::stderr().is_terminal() {
        let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
        registry.with(lines.with_filter(chosen)).init();
    } else {
        registry.with(fmt::layer().json().with_writer(std::io::stderr).with_filter(chosen)).init();
    }
}

fn quiet() -> Targets {
    Targets::new().with_default(Level::TRACE).with_targets(QUIET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_log_messages_stay_quiet_and_ours_may_speak() {
        assert!(!quiet().would_enable("tungstenite::protocol", &Level::TRACE));
        assert!(!quiet().would_enable("hyper::proto::h1", &Level::DEBUG));
        assert!(quiet().would_enable("signaling::session", &Level::TRACE));
    }
}
