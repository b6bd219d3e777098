//! How people sign in: OpenID Connect, the authorization code flow with PKCE. No SQL, no HTTP but that to the provider.
//!
//! | file | holds |
//! |---|---|
//! | `settings.rs` | where a tenant's people sign in, and what is asked of it |
//! | `target.rs` | URLs of a provider, and where people may go afterwards |
//! | `attempt.rs` | one sign-in on its way, bound to the browser that began it |
//! | `provider.rs` | what a provider says of itself, its keys, and exchanging a code |
//! | `id_token.rs` | whether an ID token is what was asked for |
//! | `factors.rs` | whether there was a second factor |
//! | `refusal.rs` | why somebody was not signed in |

mod attempt;
mod factors;
mod id_token;
mod provider;
mod refusal;
mod settings;
mod target;

pub(crate) use attempt::{Attempt, Started};
pub(crate) use id_token::{Expected, SignedIn};
pub(crate) use provider::{Exchange, Providers};
pub use refusal::{SignInCounts, SignInRefusal};
pub use settings::{InvalidSignIn, SignInSettings};
pub(crate) use target::ReturnPath;
