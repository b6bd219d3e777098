//! What stands in a query as text.

use crate::problem::Problem;

/// A whole number of digits alone, or what stands for none.
pub(super) fn whole_number(text: Option<&str>, otherwise: i64) -> Option<i64> {
    match text {
        None => Some(otherwise),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Some(_) => None,
    }
}

/// How many somebody wants in one answer.
pub(super) fn limit(text: Option<&str>, otherwise: i64, rows_max: i64) -> Result<i64, Problem> {
    let rows = whole_number(text, otherwise).filter(|rows| (1..=rows_max).contains(rows));
    rows.ok_or(Problem::FieldInvalid("limit"))
}
