//! What happens between people: see below.
