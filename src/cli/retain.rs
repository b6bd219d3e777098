//! `consilium audit retain --config FILE [--url-file FILE] [--dry-run]`

use std::path::PathBuf;

use clap::Args;
use control_api::{Database, Retained, RetainedLog, audit::CheckpointKeys, rfc3339};

use crate::{
    config::{Config, read_url},
    failure::Failure,
    keys::NodeKeys,
};

#[derive(Debug, Args)]
pub struct Retain {
    /// The node's configuration file: its anchor file is where it is said what was dropped, signed by its key.
    #[arg(long)]
    config: PathBuf,
    /// With PostgreSQL: a file with one line, postgres://RETENTION:PASSWORD@HOST/DATABASE, of a member of `consilium_retention`.
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
    /// The public keys of the checkpoints, one a line, if the anchor file is older than the node's key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Says what would be dropped, and drops nothing.
    #[arg(long)]
    dry_run: bool,
    /// Drops what is younger than six years, too, for tenants that are set so. Without it a changed database cannot have that done.
    #[arg(long)]
    less_than_six_years: bool,
}

impl Retain {
    pub async fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config)?;
        let database = match (config.database()?, self.url_file) {
            (Database::Postgres(_), None) => {
                return Err("PostgreSQL is asked with a role of its own: --url-file FILE".into());
            }
            (Database::Postgres(_), Some(file)) => Database::Postgres(read_url(&file)?),
            (sqlite, _) => sqlite,
        };
        let signer = NodeKeys::load_or_generate(&config.data)?.checkpoint_signer;
        let text = match &self.key {
            None => signer.public_line(),
            Some(file) => {
                std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?
            }
        };
        let keys = CheckpointKeys::parse(&text).map_err(|_| "the file holds no public keys")?;
        let retain = control_api::Retain {
            database: &database,
            signer: &signer,
            keys: &keys,
            anchor: &config.audit_anchor_file(),
            accepts_less_than_six_years: self.less_than_six_years,
            dry_run: self.dry_run,
        };
        let logs = retain.run().await?;
        let mut is_good = true;
        for log in &logs {
            is_good &= tell(log);
        }
        if is_good { Ok(()) } else { Err("the audit log is not as it was written".into()) }
    }
}

/// Says what became of a log; whether that is as it should be.
fn tell(log: &RetainedLog) -> bool {
    let (tenant, kept_from) = (log.tenant, rfc3339(log.kept_from_ms));
    match &log.what {
        Retained::Nothing => println!("{tenant}: nothing to drop before {kept_from}"),
        Retained::Held => println!("{tenant}: held, nothing is dropped"),
        Retained::Dropped { up_to, entries: Some(entries) } => {
            println!("{tenant}: {entries} entries dropped, up to {up_to}, before {kept_from}");
        }
        Retained::Dropped { up_to, entries: None } => {
            println!("{tenant}: would drop up to {up_to}, before {kept_from}");
        }
        Retained::Tampered(findings) => {
            for finding in findings {
                println!("{tenant}: {finding}; nothing is dropped");
            }
            return false;
        }
    }
    true
}
