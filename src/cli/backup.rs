//! `consilium backup`: what a restore needs besides the master keys, in two folders that belong in different places.
//!
//! ```text
//! OUT/data/    the database without wrapped keys       kept for as long as records are
//! OUT/keys/    wrapped keys, and who was erased        kept for days
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use control_api::{Database, PostgresSnapshot, back_up_sqlite};
use media_model::Pii;

use super::{
    postgres::{Program, run},
    shell::Shell,
};
use crate::{
    config::{Config, read_url},
    failure::Failure,
};

/// The tables that go to the other folder.
pub const KEY_TABLES: [&str; 2] = ["tenant_keys", "person_keys"];

/// Names of the files, below `data` and `keys`.
pub mod names {
    /// Which backup it is, in both folders.
    pub const ID: &str = "backup-id";
    pub const SQLITE_DATA: &str = "consilium.db";
    pub const SQLITE_KEYS: &str = "keys.db";
    pub const POSTGRES_DATA: &str = "consilium.dump";
    pub const POSTGRES_KEYS: &str = "keys.dump";
    pub const ERASURES: &str = "erasures";
}

/// Copies the database while nodes run, wrapped keys apart from the data.
#[derive(Debug, Args)]
pub struct Backup {
    /// The node's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// A new folder.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// With PostgreSQL: a file with one line, postgres://BACKUP:PASSWORD@HOST/DATABASE, of a role that reads everything.
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
}

impl Backup {
    pub async fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config)?;
        let (data, keys) = (self.out.join("data"), self.out.join("keys"));
        make_private(&self.out)?;
        make_private(&data)?;
        make_private(&keys)?;
        // First the entry: nobody copies everything unseen.
        let shell = Shell::open(&self.config).await?;
        shell.api.note_backup().await?;
        shell.close().await;
        match config.database()? {
            Database::Sqlite(file) => {
                back_up_sqlite(&file, &data.join(names::SQLITE_DATA), &keys.join(names::SQLITE_KEYS)).await?;
            }
            Database::Postgres(_) => {
                let file =
                    self.url_file.ok_or("PostgreSQL is backed up with a role of its own: --url-file FILE")?;
                back_up_postgres(&read_url(&file)?, &data, &keys).await?;
            }
        }
        // After the database: whoever was erased meanwhile is on it.
        let erasures = config.erasures_file();
        if erasures.exists() {
            fs::copy(&erasures, keys.join(names::ERASURES))?;
        }
        // Tells this backup from all others.
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| "the system's random source does not work")?;
        let id = format!("{:032x}\n", u128::from_be_bytes(id));
        for folder in [&data, &keys] {
            fs::write(folder.join(names::ID), &id)?;
            for entry in fs::read_dir(folder)? {
                fs::File::open(entry?.path())?.sync_all()?;
            }
            fs::File::open(folder)?.sync_all()?;
        }
        println!(
            "{} and {}: keep them apart, and apart from the master keys",
            data.display(),
            keys.display()
        );
        Ok(())
    }
}

async fn back_up_postgres(url: &Pii<String>, data: &Path, keys: &Path) -> Result<(), Failure> {
    let moment = PostgresSnapshot::hold(url).await?;
    let snapshot = format!("--snapshot={}", moment.name());
    let mut of_data = vec!["--format=custom".to_owned(), snapshot.clone()];
    of_data.extend(KEY_TABLES.map(|table| format!("--exclude-table-data={table}")));
    of_data.push(format!("--file={}", data.join(names::POSTGRES_DATA).display()));
    let mut of_keys = vec!["--format=custom".to_owned(), snapshot, "--data-only".to_owned()];
    of_keys.extend(KEY_TABLES.map(|table| format!("--table={table}")));
    of_keys.push(format!("--file={}", keys.join(names::POSTGRES_KEYS).display()));
    run(Program::Dump, url, &of_data).await?;
    run(Program::Dump, url, &of_keys).await?;
    Ok(moment.release().await?)
}

fn make_private(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.map_err(|error| format!("{}: {error}", folder.display()).into())
}
