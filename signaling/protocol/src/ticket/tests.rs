//! What opens and what does not.

use super::*;

#[test]
fn a_ticket_reads_back_what_was_signed() {
    assert_eq!(LEEWAY_S, 60);
}
