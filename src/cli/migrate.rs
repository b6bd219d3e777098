//! `consilium migrate --url-file FILE`

use std::path::PathBuf;

use clap::Args;
use media_model::Pii;

use crate::{config::read_url, failure::Failure};

/// Brings the tables of a PostgreSQL database up to date, with the role that owns them. A node never has that role.
#[derive(Debug, Args)]
pub struct Migrate {
    /// A file with one line: postgres://OWNER:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "FILE")]
    url_file: PathBuf,
}

impl Migrate {
    pub async fn run(self) -> Result<(), Failure> {
        let url: Pii<String> = read_url(&self.url_file)?;
        Ok(control_api::migrate_postgres(&url).await?)
    }
}
