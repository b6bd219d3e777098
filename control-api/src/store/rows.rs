//! Statements that insert several rows at once: a statement costs more than a row of it.

use super::TenantTx;

/// Rows of one statement, the most first. What is left over goes one by one.
pub(super) const ROWS: [usize; 3] = [32, 8, 1];

/// The same insert for each number of [`ROWS`]. Nothing goes into the texts but our own words and the parameters.
pub(super) struct Inserts {
    /// `$1`, `$2`, …, as PostgreSQL wants them.
    numbered: [String; ROWS.len()],
    /// `?` in the same order. SQLite takes `$1` for a name, and looks through all names for each value that is bound,
    /// hundreds of them to a statement.
    in_order: [String; ROWS.len()],
}

impl Inserts {
    pub fn new(head: &str, columns: usize) -> Self {
        Self {
            numbered: texts(head, columns, |number| format!("${number}")),
            in_order: texts(head, columns, |_| "?".to_owned()),
        }
    }

    /// The statement for so many rows, as [`parts`] counts them.
    pub fn text(&self, which: usize, tx: &TenantTx) -> &str {
        if tx.has_row_security() { &self.numbered[which] } else { &self.in_order[which] }
    }
}

fn texts(head: &str, columns: usize, parameter: impl Fn(usize) -> String) -> [String; ROWS.len()] {
    ROWS.map(|rows| {
        let row = |row: usize| {
            let parameters = (1..=columns).map(|column| parameter(row * columns + column));
            format!("({})", parameters.collect::<Vec<_>>().join(", "))
        };
        format!("{head} VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
    })
}

/// Cuts a list into parts that there are statements for: each part, and which statement.
pub(super) fn parts<T>(mut all: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    std::iter::from_fn(move || {
        let which = ROWS.iter().position(|rows| *rows <= all.len())?;
        let (part, rest) = all.split_at(ROWS[which]);
        all = rest;
        Some((which, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part_and_has_parameters_of_its_own() {
        for length in [0, 1, 7, 8, 31, 32, 33, 100] {
            let all: Vec<_> = (0..length).collect();
            let cut: Vec<_> = parts(&all)
                .flat_map(|(which, part)| {
                    assert_eq!(part.len(), ROWS[which]);
                    part.to_vec()
                })
                .collect();
            assert_eq!(cut, all);
        }
        let inserts = Inserts::new("INSERT INTO t (a, b)", 2);
        let [most, more, one] = &inserts.numbered;
        assert_eq!(one, "INSERT INTO t (a, b) VALUES ($1, $2)");
        assert!(more.ends_with("($15, $16)") && most.ends_with("($63, $64)"));
        let [most, .., one] = &inserts.in_order;
        assert_eq!(one, "INSERT INTO t (a, b) VALUES (?, ?)");
        assert_eq!(most.matches('?').count(), 64);
    }
}
