//! The command line: one file a command.

mod api_key;
mod serve;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// A self-hosted SFU media server for medical consults.
#[derive(Debug, Parser)]
#[command(name = "consilium", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node until it is told to stop.
    Serve(serve::Serve),
    /// Makes an API key for a back end and prints it once.
    ApiKey(api_key::ApiKeyCommand),
}

impl Cli {
    pub async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(command) => command.run().await,
            Command::ApiKey(command) => command.run().await,
        }
    }
}
