//! Programs of PostgreSQL that backups are made with.

use std::process::Stdio;

use media_model::Pii;
use url::Url;

use crate::failure::Failure;

#[derive(Debug, Clone, Copy)]
pub enum Program {
    Dump,
    Restore,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Dump => "pg_dump",
            Self::Restore => "pg_restore",
        }
    }
}

/// Runs it on a database. The password goes by the environment: everybody sees a command line.
pub async fn run(program: Program, url: &Pii<String>, arguments: &[String]) -> Result<(), Failure> {
    let mut without_password: Url = url.reveal().parse().map_err(|_| "the database's address is no URL")?;
    let password = without_password.password().map(str::to_owned);
    let _ = without_password.set_password(None);
    let mut command = std::process::Command::new(program.name());
    command.arg(format!("--dbname={without_password}")).args(arguments).stdin(Stdio::null());
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let done = tokio::task::spawn_blocking(move || command.status()).await?;
    let status = done.map_err(|error| format!("{}: {error}", program.name()))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed", program.name()).into()) }
}
