//! `consilium restore`: a database from a backup, in which nobody comes back who was erased.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use control_api::{Database, restore_sqlite};
use media_model::Pii;

use super::{
    backup::names,
    postgres::{Program, run},
    shell::Shell,
};
use crate::{
    config::{Config, read_url},
    failure::Failure,
};

/// Makes a database from a backup, and erases again whoever was erased since. No node may run meanwhile.
#[derive(Debug, Args)]
pub struct Restore {
    /// The node's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// The backup's folder, with `data` and `keys` in it.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// With PostgreSQL: a file with one line, postgres://OWNER:PASSWORD@HOST/DATABASE; the database is empty.
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
}

impl Restore {
    pub async fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config)?;
        let (data, keys) = (self.from.join("data"), self.from.join("keys"));
        if fs::read(data.join(names::ID))? != fs::read(keys.join(names::ID))? {
            return Err("data and keys are of two different backups".into());
        }
        match config.database()? {
            Database::Sqlite(file) => {
                if file.exists() {
                    return Err(format!("{} is there: move it away first", file.display()).into());
                }
                fs::create_dir_all(&config.data)?;
                restore_sqlite(&data.join(names::SQLITE_DATA), &keys.join(names::SQLITE_KEYS), &file).await?;
            }
            Database::Postgres(_) => {
                let file =
                    self.url_file.ok_or("PostgreSQL is restored by the tables' owner: --url-file FILE")?;
                restore_postgres(&read_url(&file)?, &data, &keys).await?;
            }
        }
        let (list, listed_then) = (config.erasures_file(), keys.join(names::ERASURES));
        if !list.exists() && listed_then.exists() {
            fs::copy(&listed_then, &list)?;
        }
        let shell = Shell::open(&self.config).await?;
        shell.api.note_restore().await?;
        let mut erased = shell.api.replay_erasures().await?;
        // The node's own list says who was erased since; this one is for a node whose list is not whole.
        erased += shell.api.clone().listing_erasures(listed_then).replay_erasures().await?;
        shell.close().await;
        println!("restored; {erased} people were erased again");
        Ok(())
    }
}

/// Keys come in before row-level security is switched on, which binds the owner as well.
async fn restore_postgres(url: &Pii<String>, data: &Path, keys: &Path) -> Result<(), Failure> {
    let (data, keys) = (data.join(names::POSTGRES_DATA), keys.join(names::POSTGRES_KEYS));
    let steps = [
        ("--section=pre-data", &data),
        ("--section=data", &data),
        ("--data-only", &keys),
        ("--section=post-data", &data),
    ];
    for (part, file) in steps {
        let arguments = ["--exit-on-error".to_owned(), "--no-owner".to_owned(), part.to_owned()];
        let file = file.display().to_string();
        run(Program::Restore, url, &[arguments.as_slice(), &[file]].concat()).await?;
    }
    Ok(())
}
