//! `consilium tenant retention`, `hold` and `release`: for how long a tenant's audit log is kept.

use std::path::PathBuf;

use clap::Args;
use control_api::{HoldReason, RetentionMonths};
use media_model::TenantId;

use super::shell::Shell;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct Retention {
    /// The node's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Whose audit log.
    name: TenantId,
    /// For how many months, besides the one that is going on.
    #[arg(long)]
    months: i64,
    /// The clinic accepts less than the six years of 45 CFR 164.316(b)(2)(i).
    #[arg(long)]
    less_than_six_years: bool,
}

#[derive(Debug, Args)]
pub struct Hold {
    /// The node's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Whose audit log.
    name: TenantId,
    /// A file with one line that says why: on a command line others could read it.
    #[arg(long, value_name = "FILE")]
    reason_file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Release {
    /// The node's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Whose audit log.
    name: TenantId,
}

impl Retention {
    pub async fn run(self) -> Result<(), Failure> {
        let months = RetentionMonths::new(self.months, self.less_than_six_years)?;
        let shell = Shell::open(&self.config).await?;
        shell.api.set_retention(self.name, months).await?;
        shell.close().await;
        Ok(())
    }
}

impl Hold {
    pub async fn run(self) -> Result<(), Failure> {
        let text = std::fs::read_to_string(&self.reason_file)
            .map_err(|error| format!("cannot read {}: {error}", self.reason_file.display()))?;
        let reason = HoldReason::parse(&text).ok_or("a reason is one line of 10 to 500 characters")?;
        let shell = Shell::open(&self.config).await?;
        shell.api.hold_from_shell(self.name, &reason).await?;
        shell.close().await;
        Ok(())
    }
}

impl Release {
    pub async fn run(self) -> Result<(), Failure> {
        let shell = Shell::open(&self.config).await?;
        let was_held = shell.api.release_from_shell(self.name).await?;
        shell.close().await;
        if was_held { Ok(()) } else { Err(format!("the audit log of {} is not held", self.name).into()) }
    }
}
