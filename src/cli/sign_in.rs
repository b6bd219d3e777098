//! `consilium tenant sign-in --config FILE --tenant TENANT --issuer URL --client-id ID`

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use control_api::{SignInSettings, limits::SESSION_IDLE_DEFAULT};
use media_model::{Pii, TenantId};

use super::shell::Shell;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct SignIn {
    /// The node's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Whose people.
    #[arg(long)]
    tenant: TenantId,
    /// The OpenID provider, exactly as it calls itself.
    #[arg(long)]
    issuer: String,
    /// What the provider calls this node.
    #[arg(long)]
    client_id: String,
    /// A file with the secret that the provider gave this node; leave out for a public client.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Signs nobody in without a second factor.
    #[arg(long)]
    mfa_required: bool,
    /// An `acr` value that says that there was a second factor; once for each.
    #[arg(long = "mfa-acr", value_name = "ACR")]
    mfa_acr: Vec<String>,
    /// After how many minutes somebody who does nothing is logged off: 1 to 120.
    #[arg(long, default_value_t = SESSION_IDLE_DEFAULT.as_secs() / 60)]
    idle_minutes: u64,
    /// Where people go who did not say: a URL, or a path of this node.
    #[arg(long)]
    return_to: Option<String>,
}

impl SignIn {
    pub async fn run(self) -> Result<(), Failure> {
        let settings = SignInSettings {
            issuer: self.issuer,
            client_id: self.client_id,
            secret: self.secret_file.as_deref().map(read_secret).transpose()?,
            mfa_required: self.mfa_required,
            mfa_acr: self.mfa_acr,
            idle: Duration::from_secs(self.idle_minutes.saturating_mul(60)),
            return_to: self.return_to,
        };
        let shell = Shell::open(&self.config).await?;
        shell.api.set_sign_in(self.tenant, &settings).await?;
        shell.close().await;
        // What the provider has to know.
        eprintln!("redirect_uri at the provider: https://THIS-NODE/v1/sign-in/{}/callback", self.tenant);
        Ok(())
    }
}

fn read_secret(path: &Path) -> Result<Pii<String>, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(Pii::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
