//! `consilium audit verify` and `retain`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use control_api::{Database, audit::CheckpointKeys};

use super::retain::Retain;
use crate::{config::read_url, failure::Failure};

#[derive(Debug, Args)]
pub struct AuditCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Says whether an entry was changed, taken out, put in or moved. Exits with 1 if so.
    Verify(Verify),
    /// Drops what is older than each tenant keeps its log: whole months that were sealed and signed, and not held.
    Retain(Retain),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("where").required(true).args(["data", "database"])))]
struct Verify {
    /// A node's data folder, whose database is SQLite.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A file with one line, the address of a PostgreSQL database: postgres://AUDITOR:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// The public keys of the checkpoints, one a line.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The anchor file, best a copy that the database's owner cannot change.
    #[arg(long, value_name = "FILE")]
    anchor: PathBuf,
}

impl AuditCommand {
    pub async fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Verify(verify) => verify.run().await,
            Action::Retain(retain) => retain.run().await,
        }
    }
}

impl Verify {
    async fn run(self) -> Result<(), Failure> {
        let database = match (self.data, self.database) {
            (Some(data), _) => Database::Sqlite(data.join("consilium.db")),
            (None, Some(file)) => Database::Postgres(read_url(&file)?),
            (None, None) => return Err("--data or --database is needed".into()),
        };
        let text =
            std::fs::read_to_string(&self.key).map_err(|error| format!("{}: {error}", self.key.display()))?;
        let keys =
            CheckpointKeys::parse(&text).map_err(|_| format!("{}: no public keys", self.key.display()))?;
        let verified = control_api::verify(&database, &keys, &self.anchor).await?;
        for (tenant, report) in &verified.chains {
            let (entries, checkpoints, unsealed) =
                (report.entries, report.checkpoints, report.unsealed.count);
            let age =
                report.unsealed_oldest_s.map_or(String::new(), |age| format!(", the oldest for {age} s"));
            println!(
                "{tenant}: {entries} entries, {checkpoints} checkpoints agree, {unsealed} unsealed{age}"
            );
        }
        for (tenant, finding) in verified.findings() {
            let whose = if tenant.is_empty() { "anchor file" } else { tenant };
            println!("{whose}: {finding}");
        }
        if verified.is_clean() { Ok(()) } else { Err("the audit log is not as it was written".into()) }
    }
}
