//! Sizes that messages may have.

use std::time::Duration;

/// Largest WebSocket message.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Largest SDP offer.
pub const SDP_BYTES_MAX: usize = 192 * 1024;
/// Longest chat line, in characters.
pub const CHAT_CHARS_MAX: usize = 2_000;
/// Lines of chat of one person that wait to be kept.
pub const CHAT_LINES_WAITING_MAX: usize = 8;
/// Longest display name, in characters.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// Longest person id, in bytes.
pub const PERSON_ID_BYTES_MAX: usize = 128;
/// Longest name of a node, in bytes.
pub const NODE_NAME_BYTES_MAX: usize = 64;
/// Longest ticket or resume token.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// How long a resume token is good: longer than any visit. What was taken back has to be remembered for as long.
pub const RESUME_VALIDITY: Duration = Duration::from_secs(24 * 3_600);
/// A connection that has not said `hello` by then is closed.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages a connection may send in a burst, and a second after that.
pub const MESSAGES_BURST_MAX: u32 = 60;
/// Messages a second in the long run.
pub const MESSAGES_PER_SECOND_MAX: u32 = 10;
/// Slot pairs that a client is first asked to offer.
pub const SLOTS_INITIAL: crate::server::SlotCounts = crate::server::SlotCounts { camera: 3, screen: 1 };
/// Slot pairs that a client is asked to offer at most.
pub const SLOTS_MAX: crate::server::SlotCounts = crate::server::SlotCounts { camera: 16, screen: 4 };

/// Whether a text can be a line of chat: something to read, of bounded length; of the control characters only tab and line
/// feed.
pub fn is_chat(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= CHAT_CHARS_MAX
        && !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
}

/// Whether a text is one line with something on it: not blank, no control characters (Unicode category Cc).
pub fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}
