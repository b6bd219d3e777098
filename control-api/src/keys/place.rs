//! Where a sealed value stands.

use media_model::TenantId;

/// One column of one row of one tenant. A value opens only in the place that it was sealed for.
///
/// Table and column are words of our own code, so that an error may name them. They are part of what is sealed:
/// renaming one in the schema does not rename it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Whose row.
    pub tenant: TenantId,
    /// Which table.
    pub table: &'static str,
    /// The row's id within its table and tenant; of a key of several columns, all of them in one fixed form.
    pub row: &'a str,
    /// Which column.
    pub column: &'static str,
}

impl Place<'_> {
    /// What is bound to the sealed bytes, besides their header.
    pub(super) fn fields(&self) -> [&str; 4] {
        [self.tenant.as_str(), self.table, self.row, self.column]
    }

    /// For an error: without tenant and row.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }
}
