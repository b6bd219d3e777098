//! The command line: one file a command.

mod audit;
mod backup;
mod client;
mod master_key;
mod migrate;
mod openapi;
mod person;
mod postgres;
mod restore;
mod retain;
mod retention;
mod serve;
mod shell;
mod sign_in;
mod signing_key;
mod tenant;

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
    /// Tenants: clinics that share a node and see nothing of each other.
    Tenant(tenant::TenantCommand),
    /// Back ends that may call the control API.
    Client(client::ClientCommand),
    /// People of a tenant: what they are known as.
    Person(person::PersonCommand),
    /// The audit log.
    Audit(audit::AuditCommand),
    /// The keys under which everything about people is sealed.
    MasterKey(master_key::MasterKeyCommand),
    /// The keys that sign tickets and tokens.
    SigningKey(signing_key::SigningKeyCommand),
    /// Copies the database while nodes run, wrapped keys apart from the data.
    Backup(backup::Backup),
    /// Makes a database from a backup, and erases again whoever was erased since.
    Restore(restore::Restore),
    /// Brings the tables of a PostgreSQL database up to date.
    Migrate(migrate::Migrate),
    /// Prints the OpenAPI document of the control API.
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApi),
}

impl Cli {
    pub async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(command) => command.run().await,
            Command::Tenant(command) => command.run().await,
            Command::Client(command) => command.run().await,
            Command::Person(command) => command.run().await,
            Command::Audit(command) => command.run().await,
            Command::MasterKey(command) => command.run().await,
            Command::SigningKey(command) => command.run().await,
            Command::Backup(command) => command.run().await,
            Command::Restore(command) => command.run().await,
            Command::Migrate(command) => command.run().await,
            Command::OpenApi(command) => {
                command.run();
                Ok(())
            }
        }
    }
}
