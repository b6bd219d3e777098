//! A line of text that says something.

use std::ops::RangeInclusive;

use media_model::Pii;

/// Takes one line of so many characters, without the space around it and without control characters.
pub(crate) fn one_line(text: &str, chars: RangeInclusive<usize>) -> Option<Pii<String>> {
    let text = text.trim();
    let is_sound = chars.contains(&text.chars().count()) && !text.chars().any(char::is_control);
    is_sound.then(|| Pii::new(text.to_owned()))
}
