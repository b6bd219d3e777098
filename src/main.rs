//! `consilium`: one binary, one node. Reads its configuration, builds the parts, runs them, drains them.
//!
//! | file | holds |
//! |---|---|
//! | `cli/` | one file a command |
//! | `config.rs` | the configuration file, and what the command line says instead |
//! | `keys.rs` | the node's keys: certificate, ticket keys |
//! | `signing_keys/` | new keys for tickets and tokens in time, and whose tokens of other nodes are good |
//! | `api_tokens.rs` | what whoever is in a visit shows the control API |
//! | `upkeep.rs` | what is done about the database once it answers, and from then on |
//! | `master_keys.rs` | the master keys of a node that runs |
//! | `renewal.rs` | takes up a new master key while the node runs |
//! | `http.rs`, `tls.rs`, `connections.rs` | how connections are served, by which certificate, how many from one address |
//! | `journal.rs`, `spool/` | signaling's journal into the audit log, and onto the disk while that is away |
//! | `presences.rs` | who is here, for the case that the node is killed |
//! | `wiring.rs` | what connects crates that do not know each other |
//! | `telemetry.rs` | logs and metrics |
//! | `web.rs` | the HTTP surface put together; the widget's files |
//! | `pages.rs` | the pages of portals' frames and of guest links |
//! | `dev.rs` | dev mode: API key, demo consult, join links |
//! | `shutdown.rs`, `failure.rs` | signals; what a command failed of |

mod anchor;
mod api_tokens;
mod cli;
mod config;
mod connections;
mod dev;
mod failure;
mod http;
mod journal;
mod keys;
mod master_keys;
mod pages;
mod presences;
mod renewal;
mod shutdown;
mod signing_keys;
mod spool;
mod telemetry;
mod tls;
mod upkeep;
mod web;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    telemetry::start_logging();
    // Shards are threads of their own.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("consilium: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("consilium: {error}");
            ExitCode::FAILURE
        }
    }
}
