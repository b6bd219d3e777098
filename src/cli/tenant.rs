//! `consilium tenant create --config FILE NAME`, `sign-in`, `origins`, `direct-consults`, `rotate-key`, `reseal`, `retention`, `hold` and `release`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use control_api::{PortalOrigin, Resealed};
use media_model::TenantId;

use super::{
    retention::{Hold, Release, Retention},
    shell::Shell,
    sign_in::SignIn,
};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct TenantCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a tenant: a clinic, or a group of them, that sees nothing of the others.
    Create {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// What links and the audit log call it: up to 40 lower-case letters, digits and hyphens.
        name: TenantId,
    },
    /// Has a tenant's people sign in by OpenID Connect from now on.
    SignIn(SignIn),
    /// Has nobody of a tenant sign in any more, and signs out whoever is.
    NoSignIn {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose people.
        #[arg(long)]
        tenant: TenantId,
    },
    /// Says which pages may frame a tenant's visits and call for it, and lists them. Nodes know within ten seconds.
    Origins {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose pages.
        #[arg(long)]
        tenant: TenantId,
        /// An origin to add, such as https://portal.clinic.example; once for each.
        #[arg(long, value_name = "ORIGIN")]
        add: Vec<PortalOrigin>,
        /// One to take away; once for each.
        #[arg(long, value_name = "ORIGIN")]
        remove: Vec<PortalOrigin>,
    },
    /// Says whether a tenant has consults without an appointment; it has where nobody said.
    DirectConsults {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose consults.
        #[arg(long)]
        tenant: TenantId,
        /// Whether it has.
        switch: Switch,
    },
    /// Gives a tenant a new sealing key, and seals what is under older ones anew. Nodes go on meanwhile.
    RotateKey {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose key.
        name: TenantId,
    },
    /// Seals anew what is under a tenant's older keys, and retires those that nothing needs. Nodes go on meanwhile, and do so each day.
    Reseal {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose keys.
        name: TenantId,
    },
    /// Says for how long a tenant's audit log is kept; six years where nobody said.
    Retention(Retention),
    /// Has nothing of a tenant's audit log go until it is released (legal hold).
    Hold(Hold),
    /// Lets a tenant's audit log go again when its time has come.
    Release(Release),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl TenantCommand {
    pub async fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create { config, name } => {
                let shell = Shell::open(&config).await?;
                shell.api.create_tenant(name).await?;
                shell.close().await;
            }
            Action::SignIn(command) => command.run().await?,
            Action::Retention(command) => command.run().await?,
            Action::Hold(command) => command.run().await?,
            Action::Release(command) => command.run().await?,
            Action::NoSignIn { config, tenant } => {
                let shell = Shell::open(&config).await?;
                shell.api.remove_sign_in(tenant).await?;
                shell.close().await;
            }
            Action::Origins { config, tenant, add, remove } => {
                let shell = Shell::open(&config).await?;
                for origin in shell.api.change_portal_origins(tenant, &add, &remove).await? {
                    println!("{}", origin.as_str());
                }
                shell.close().await;
            }
            Action::DirectConsults { config, tenant, switch } => {
                let shell = Shell::open(&config).await?;
                shell.api.set_direct_consults_from_shell(tenant, switch == Switch::On).await?;
                shell.close().await;
            }
            Action::RotateKey { config, name } => {
                let shell = Shell::open(&config).await?;
                let renewed = shell.api.rotate_tenant_key(name).await?;
                println!("{} people's keys are wrapped under the new key", renewed.of_people);
                print(&shell.api.reseal_tenant(name).await?);
                shell.close().await;
            }
            Action::Reseal { config, name } => {
                let shell = Shell::open(&config).await?;
                print(&shell.api.reseal_tenant(name).await?);
                shell.close().await;
            }
        }
        Ok(())
    }
}

fn print(resealed: &Resealed) {
    println!("{} values are sealed anew", resealed.values);
    for version in &resealed.retired {
        println!("key {version} is retired");
    }
    for (version, needed_by) in &resealed.stay {
        match needed_by {
            Some(table) => println!("key {version} stays: the table {table} needs it"),
            None => println!("key {version} stays for an hour after its successor came"),
        }
    }
}
