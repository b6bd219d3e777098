//! Reads a database's audit log and says what was done to it: needs no key but the checkpoints' public ones.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use media_model::TenantId;

use crate::{
    Database, Store, StoreError,
    app::now_ms,
    audit::{Anchor, CheckpointKeys, Finding, Findings, Report, SealedRow, Verifier},
    limits::VERIFY_PAGE_LINKS,
    store,
};

/// A log that could not be verified, which does not say that it is good.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The anchor file cannot be read.
    #[error("the anchor file: {0}")]
    Anchor(#[from] io::Error),
}

/// What came of all tenants' chains.
#[derive(Debug)]
pub struct Verified {
    /// What is wrong with the anchor file itself.
    pub anchor: Findings,
    /// A chain each, by tenant.
    pub chains: Vec<(String, Report)>,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.anchor.is_empty() && self.chains.iter().all(|(_, report)| report.is_clean())
    }

    /// Everything that is wrong, as (tenant, or nothing for the anchor file; finding).
    pub fn findings(&self) -> impl Iterator<Item = (&str, &Finding)> {
        let of_file = self.anchor.as_slice().iter().map(|finding| ("", finding));
        let of_chains = self.chains.iter().flat_map(|(tenant, report)| {
            report.findings.as_slice().iter().map(|finding| (tenant.as_str(), finding))
        });
        of_file.chain(of_chains)
    }
}

/// Walks every tenant's chain. Tenants that the anchor file names and the database lacks are missing as a whole.
pub async fn verify(
    database: &Database,
    keys: &CheckpointKeys,
    anchor_file: &Path,
) -> Result<Verified, VerifyError> {
    let anchor = Anchor::scan(lines_of(anchor_file)?, keys);
    let store = Store::open_to_read(database).await?;
    let mut tenants: Vec<String> = store.tenants().await?.iter().map(ToString::to_string).collect();
    tenants.push(TenantId::SYSTEM.to_string());
    tenants.extend(anchor.tenants().map(str::to_owned));
    tenants.sort();
    tenants.dedup();
    let mut chains = Vec::new();
    for tenant in tenants {
        let verifier = Verifier::new(&tenant, anchor.of(&tenant), lines_of(anchor_file)?, keys);
        let report = walk(&store, &tenant, verifier, |_| ()).await?;
        chains.push((tenant, report));
    }
    store.close().await;
    Ok(Verified { anchor: anchor.findings, chains })
}

/// The lines of an anchor file.
pub(crate) fn lines_of(anchor_file: &Path) -> io::Result<impl Iterator<Item = String> + use<>> {
    Ok(BufReader::new(File::open(anchor_file)?).lines().map_while(Result::ok))
}

/// Walks a tenant's chain from its first link that is there to its last, and shows each to whoever wants to look as well.
pub(crate) async fn walk<S: AsRef<str>, L: Iterator<Item = S>>(
    store: &Store,
    tenant: &str,
    mut verifier: Verifier<'_, L>,
    mut look_at: impl FnMut(&SealedRow),
) -> Result<Report, StoreError> {
    let mut unsealed = crate::audit::Unsealed::default();
    // A name that is none has no rows.
    if let Ok(id) = tenant.parse() {
        let mut seq = i64::MIN;
        loop {
            let mut tx = store.read(id).await?;
            let rows = store::audit::sealed_after(&mut tx, seq, VERIFY_PAGE_LINKS).await?;
            let Some(last) = rows.last() else {
                unsealed = store::audit::unsealed(&mut tx).await?;
                break;
            };
            seq = last.seq;
            for row in rows {
                look_at(&row);
                verifier.push(row);
            }
        }
    }
    Ok(verifier.finish(unsealed, now_ms()))
}
