//! `consilium person role --config FILE --tenant TENANT --external-id ID`, and `link`

use std::{convert::Infallible, path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};
use control_api::{RoleChange, permissions::TenantRole};
use media_model::{Pii, Role, TenantId};

use super::shell::Shell;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct PersonCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Says what somebody is known as, and prints their id. Whoever is not known yet is made known.
    Role {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose patient or colleague they are.
        #[arg(long)]
        tenant: TenantId,
        /// The EHR's opaque id of them.
        #[arg(long, value_parser = personal)]
        external_id: Pii<String>,
        /// What the clinic knows them as: patient, provider, nurse, interpreter, guardian, observer, or none.
        #[arg(long, value_name = "ROLE", value_parser = or_none::<Role>)]
        standing: Option<OrNone<Role>>,
        /// What they are for the whole tenant: admin, auditor, or none.
        #[arg(long, value_name = "ROLE", value_parser = or_none::<TenantRole>)]
        tenant_role: Option<OrNone<TenantRole>>,
    },
    /// Links an account at the tenant's OpenID provider to somebody, who signs in with it, and prints their id.
    Link {
        /// The node's configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Whose patient or colleague they are.
        #[arg(long)]
        tenant: TenantId,
        /// The EHR's opaque id of them.
        #[arg(long, value_parser = personal)]
        external_id: Pii<String>,
        /// The provider, exactly as it calls itself.
        #[arg(long)]
        issuer: String,
        /// What the provider calls them (`sub`).
        #[arg(long, value_parser = personal)]
        subject: Pii<String>,
    },
}

/// A role, or that there shall be none. A type of its own, as clap takes an `Option` to mean that the argument may be left out.
#[derive(Debug, Clone, Copy)]
struct OrNone<T>(Option<T>);

fn or_none<T: FromStr>(text: &str) -> Result<OrNone<T>, T::Err> {
    if text == "none" { Ok(OrNone(None)) } else { text.parse().map(|role| OrNone(Some(role))) }
}

fn personal(text: &str) -> Result<Pii<String>, Infallible> {
    Ok(Pii::new(text.to_owned()))
}

impl PersonCommand {
    pub async fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Role { config, tenant, external_id, standing, tenant_role } => {
                let change = RoleChange {
                    standing: standing.map(|OrNone(role)| role),
                    tenant_role: tenant_role.map(|OrNone(role)| role),
                };
                let shell = Shell::open(&config).await?;
                println!("{}", shell.api.set_roles_from_shell(tenant, external_id, change).await?);
                shell.close().await;
            }
            Action::Link { config, tenant, external_id, issuer, subject } => {
                let shell = Shell::open(&config).await?;
                println!("{}", shell.api.link_from_shell(tenant, external_id, &issuer, subject).await?);
                shell.close().await;
            }
        }
        Ok(())
    }
}
