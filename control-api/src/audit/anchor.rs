//! The file of checkpoints, kept outside the database: read through once before the chains are.

use std::collections::BTreeMap;

use super::{CheckpointKeys, Finding, Findings, Head, Kind, LineFault, Statement};

/// What the anchor file says of one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Anchored {
    /// Up to where retention removed the chain.
    pub dropped: Option<Head>,
    /// The last checkpoint.
    pub last: Option<Head>,
}

/// What the anchor file says, a few bytes a tenant however long it is.
#[derive(Debug, Default)]
pub struct Anchor {
    tenants: BTreeMap<String, Anchored>,
    /// What is wrong with the file itself.
    pub findings: Findings,
}

impl Anchor {
    /// Reads the file's lines from the first to the last.
    pub fn scan<S: AsRef<str>>(lines: impl IntoIterator<Item = S>, keys: &CheckpointKeys) -> Self {
        let mut anchor = Self::default();
        for (i, line) in lines.into_iter().enumerate() {
            let line = line.as_ref().trim_end();
            if line.is_empty() {
                continue;
            }
            if let Err(fault) = anchor.take(line, keys) {
                anchor.findings.add(Finding::BadCheckpoint { line: i as u64 + 1, fault });
            }
        }
        anchor
    }

    /// The last checkpoint of each tenant that was signed before a time of that tenant's.
    pub fn last_before<S: AsRef<str>>(
        lines: impl IntoIterator<Item = S>,
        keys: &CheckpointKeys,
        before_ms: &BTreeMap<String, i64>,
    ) -> BTreeMap<String, Head> {
        let statements = lines.into_iter().filter_map(|line| keys.verify(line.as_ref().trim_end()).ok());
        let is_old = |statement: &Statement| {
            let before_ms = before_ms.get(&statement.tenant).copied().unwrap_or(i64::MIN);
            statement.kind == Kind::Checkpoint && statement.at_ms < before_ms
        };
        statements.filter(is_old).map(|statement| (statement.tenant, statement.head)).collect()
    }

    /// Whose chains there have to be. One that the database does not have any more is missing as a whole.
    pub fn tenants(&self) -> impl Iterator<Item = &str> {
        self.tenants.keys().map(String::as_str)
    }

    /// What is said of one tenant.
    pub fn of(&self, tenant: &str) -> Anchored {
        self.tenants.get(tenant).copied().unwrap_or_default()
    }

    fn take(&mut self, line: &str, keys: &CheckpointKeys) -> Result<(), LineFault> {
        let statement = keys.verify(line)?;
        let known = self.tenants.entry(statement.tenant).or_default();
        let earlier = match statement.kind {
            Kind::Checkpoint => &mut known.last,
            Kind::Dropped => &mut known.dropped,
        };
        let takes_back = |earlier: &Head| {
            statement.head.seq < earlier.seq
                || statement.head.seq == earlier.seq && statement.head.hash != earlier.hash
        };
        if earlier.as_ref().is_some_and(takes_back) {
            return Err(LineFault::Contradicts);
        }
        *earlier = Some(statement.head);
        Ok(())
    }
}
