//! Statements that insert several rows at once: a statement costs more than a row of it.

/// Rows of one statement, the most first. What is left over goes one by one.
pub(super) const ROWS: [usize; 3] = [32, 8, 1];

/// The same insert for each number of [`ROWS`]. Nothing goes into the texts but our own words and the numbers of parameters.
pub(super) fn inserts(head: &str, columns: usize) -> [String; 3] {
    ROWS.map(|rows| {
        let row = |row: usize| {
            let parameters = (1..=columns).map(|column| format!("${}", row * columns + column));
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
        let texts = inserts("INSERT INTO t (a, b)", 2);
        assert_eq!(texts[2], "INSERT INTO t (a, b) VALUES ($1, $2)");
        assert!(texts[1].ends_with("($15, $16)") && texts[0].ends_with("($63, $64)"));
    }
}
