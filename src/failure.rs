//! What a command failed of, in words for whoever typed it.

/// Any error that ends the program; `main` prints it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
