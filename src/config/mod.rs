//! The configuration file, and what the command line says instead. Every key has a row in `docs/operator.md`.
//!
//! | file | holds |
//! |---|---|
//! | `values.rs` | single values: what they are where the file says nothing, and what of it is taken |
//! | `master_keys.rs`, `token.rs` | where master keys are, and which of them wrap |

mod master_keys;
mod token;
mod values;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::{NonZeroU16, NonZeroU32},
    path::{Path, PathBuf},
    time::Duration,
};

use control_api::{Database, Networks, OwnOrigin, TrustedProxies, WebOrigin};
use media_model::Pii;
use serde::Deserialize;
use signaling::OriginPolicy;

pub use self::token::TokenConfig;
use self::values::{
    default_address_connections_max, default_api_failures_per_s, default_api_requests_per_s,
    default_huge_pages, default_listen, default_participants_max, default_pin_shards,
    default_signing_key_days, default_spool_mib, networks, participants_max, public_url, spool_mib,
    this_machine, trusted_proxies,
};

/// How a node is to run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where HTTP and WebSockets are served.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Database and keys.
    pub data: PathBuf,
    /// Media threads; as many as cores when absent.
    pub shards: Option<NonZeroU16>,
    /// Whether each media thread is kept on one core.
    #[serde(default = "default_pin_shards")]
    pub pin_shards: bool,
    /// Whether the process's memory is put into huge pages where it is full.
    #[serde(default = "default_huge_pages")]
    pub huge_pages: bool,
    /// People who may be in one consult at a time: 1 to [`CONSULT_TRANSPORTS_MAX`].
    #[serde(default = "default_participants_max", deserialize_with = "participants_max")]
    pub consult_participants_max: u8,
    /// How many days a key for tickets and tokens signs.
    #[serde(default = "default_signing_key_days")]
    pub signing_key_days: NonZeroU16,
    /// How long the spool may become, in MiB: 1 to 1,024.
    #[serde(default = "default_spool_mib", deserialize_with = "spool_mib")]
    pub spool_mib: u16,
    /// Web origins whose pages may call for every tenant, besides the node's own; `"*"` for any.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Proxies that are believed about where a request came from: addresses, or networks such as `10.1.0.0/16`.
    #[serde(default, deserialize_with = "trusted_proxies")]
    pub trusted_proxies: TrustedProxies,
    /// Requests a second that the control API takes from each API client, and from each address.
    #[serde(default = "default_api_requests_per_s")]
    pub api_requests_per_s: NonZeroU32,
    /// Failures a second to show who asks that it takes from each address.
    #[serde(default = "default_api_failures_per_s")]
    pub api_failures_per_s: NonZeroU32,
    /// Connections that one address may hold, of HTTP and WebSockets together; proxies that are trusted may hold more.
    #[serde(default = "default_address_connections_max")]
    pub address_connections_max: NonZeroU32,
    /// PostgreSQL, instead of a file in the data folder.
    pub database: Option<DatabaseConfig>,
    /// Where the signed checkpoints of the audit log are added; `DATA/audit.anchor` when absent.
    pub audit_anchor_file: Option<PathBuf>,
    /// The file of master keys, under which everything about people is sealed; `DATA/keys/master.keys` when absent, made on
    /// first start.
    pub master_keys_file: Option<PathBuf>,
    /// The environment variable that holds them instead, with commas for line ends: nothing is on disk then.
    pub master_keys_variable: Option<String>,
    /// A token that holds master keys. Of it and a file or variable that is named beside it one wraps, and both unwrap.
    pub master_keys_token: Option<TokenConfig>,
    /// Who was erased, for a restore; `DATA/erasures` when absent.
    pub erasures_file: Option<PathBuf>,
    /// Private networks that webhooks may go to besides the world, such as `10.1.0.0/16`.
    #[serde(default, deserialize_with = "networks")]
    pub webhook_networks: Networks,
    /// Where browsers find this node, such as `https://consult.clinic.example`; what requests say when absent.
    #[serde(default, deserialize_with = "public_url")]
    pub public_url: Option<WebOrigin>,
    /// Private networks that providers may be in with whom people sign in, besides the world; this machine's own address lets
    /// one there be asked without TLS.
    #[serde(default, deserialize_with = "networks")]
    pub sign_in_networks: Networks,
    /// The media side.
    #[serde(default)]
    pub media: MediaConfig,
    /// Certificate and key, unless a proxy in front speaks TLS.
    pub tls: Option<TlsConfig>,
}

/// `[media]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaConfig {
    /// UDP port of the first shard, the next has the next; 0 lets the system choose.
    pub port: u16,
    /// Local IPv4 address.
    pub bind_v4: Ipv4Addr,
    /// Local IPv6 address.
    pub bind_v6: Ipv6Addr,
    /// Addresses that clients are told, where they are not the bound ones.
    pub advertise: Vec<IpAddr>,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            port: 40_000,
            bind_v4: Ipv4Addr::UNSPECIFIED,
            bind_v6: Ipv6Addr::UNSPECIFIED,
            advertise: Vec::new(),
        }
    }
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// A file with one line, `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE`.
    pub url_file: PathBuf,
}

/// `[tls]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("{path}: {message}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
}

/// Reads a file whose one line is a database's address. It holds a password: an error never shows it.
pub fn read_url(path: &Path) -> Result<Pii<String>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let url = text.trim();
    if url.lines().count() != 1 || !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        let message = "one line is expected that begins with postgres://".to_owned();
        return Err(ConfigError::Invalid { path: path.to_owned(), message });
    }
    Ok(Pii::new(url.to_owned()))
}

/// Where and what, but not the line itself: a secret may have been put there by mistake.
fn without_values(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!("line {}: ", 1 + before.matches('\n').count()));
    format!("{}{}", line.unwrap_or_default(), error.message())
}

impl Config {
    /// Reads a TOML file. Unknown keys are refused: a mistyped one must not be ignored.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let invalid = |message| ConfigError::Invalid { path: path.to_owned(), message };
        let config: Self = toml::from_str(&text).map_err(|error| invalid(without_values(&text, &error)))?;
        if config.master_keys_file.is_some() && config.master_keys_variable.is_some() {
            return Err(invalid("master_keys_file and master_keys_variable: one of them".to_owned()));
        }
        if let Some(token) = &config.master_keys_token {
            token.keys().map_err(|fault| invalid(format!("master_keys_token: {fault}")))?;
        }
        Ok(config)
    }

    /// Dev mode: this machine only, everything under `./data`.
    pub fn dev() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            data: PathBuf::from("data"),
            shards: None,
            pin_shards: default_pin_shards(),
            huge_pages: default_huge_pages(),
            consult_participants_max: default_participants_max(),
            signing_key_days: default_signing_key_days(),
            spool_mib: default_spool_mib(),
            allowed_origins: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            api_requests_per_s: default_api_requests_per_s(),
            // Whoever tries something out on their own machine makes mistakes.
            api_failures_per_s: default_api_requests_per_s(),
            address_connections_max: default_address_connections_max(),
            database: None,
            master_keys_file: None,
            master_keys_variable: None,
            master_keys_token: None,
            audit_anchor_file: None,
            erasures_file: None,
            webhook_networks: this_machine(),
            public_url: None,
            sign_in_networks: this_machine(),
            media: MediaConfig { port: 0, ..MediaConfig::default() },
            tls: None,
        }
    }

    /// Where the control API keeps its rows.
    pub fn database(&self) -> Result<Database, ConfigError> {
        match &self.database {
            None => Ok(Database::Sqlite(self.data.join("consilium.db"))),
            Some(DatabaseConfig { url_file }) => read_url(url_file).map(Database::Postgres),
        }
    }

    /// The anchor file.
    pub fn audit_anchor_file(&self) -> PathBuf {
        self.audit_anchor_file.clone().unwrap_or_else(|| self.data.join("audit.anchor"))
    }

    /// The list of erasures.
    pub fn erasures_file(&self) -> PathBuf {
        self.erasures_file.clone().unwrap_or_else(|| self.data.join("erasures"))
    }

    /// What the node keeps for the audit log while that cannot be written.
    pub fn spool_file(&self) -> PathBuf {
        self.data.join("spool.log")
    }

    /// For how long a key for tickets and tokens signs.
    pub fn signing_key_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.signing_key_days.get()) * 24 * 60 * 60)
    }

    /// How long that may become.
    pub fn spool_bytes_max(&self) -> u64 {
        u64::from(self.spool_mib) << 20
    }

    /// Tenants' own pages, for a start while the database is away.
    pub fn portals_file(&self) -> PathBuf {
        self.data.join("portals")
    }

    /// Who is in consults on this node.
    pub fn presences_file(&self) -> PathBuf {
        self.data.join("presences.log")
    }

    /// What the node remembers of tickets.
    pub fn ticket_log_file(&self) -> PathBuf {
        self.data.join("tickets.log")
    }

    /// Whether browsers find it by TLS, its own or a proxy's.
    pub fn is_by_tls(&self) -> bool {
        self.tls.is_some() || self.public_url.as_ref().is_some_and(|url| url.as_str().starts_with("https://"))
    }

    /// How the node knows where browsers find it.
    pub fn own_origin(&self) -> OwnOrigin {
        let of_request = OwnOrigin::OfRequest { tls: self.tls.is_some() };
        self.public_url.clone().map_or(of_request, OwnOrigin::Configured)
    }

    /// Which web pages may call signaling for every tenant.
    pub fn origin_policy(&self) -> OriginPolicy {
        if self.allowed_origins.iter().any(|origin| origin == "*") {
            return OriginPolicy::Any;
        }
        OriginPolicy::Listed(self.allowed_origins.clone())
    }

    /// Number of media threads.
    pub fn shard_count(&self) -> u16 {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get() as u16);
        self.shards.map_or_else(cores, NonZeroU16::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_enough_and_a_mistyped_key_is_refused() {
        let config: Config = toml::from_str("data = \"/var/lib/consilium\"").expect("a minimal file");
        assert_eq!((config.listen.port(), config.media.port), (8080, 40_000));
        assert_eq!((config.pin_shards, config.huge_pages, config.consult_participants_max), (true, true, 32));
        assert!(toml::from_str::<Config>("data = \"/x\"\nshard = 2").is_err());
        assert!(toml::from_str::<Config>("data = \"/x\"\nshards = 0").is_err());
        assert!(toml::from_str::<Config>("data = \"/x\"\ntrusted_proxies = [\"10.0.0.0/99\"]").is_err());
        for (people, is_taken) in [(0, false), (1, true), (128, true), (129, false)] {
            let text = format!("data = \"/x\"\nconsult_participants_max = {people}");
            assert_eq!(toml::from_str::<Config>(&text).is_ok(), is_taken, "{people}");
        }
        for (mib, is_taken) in [(0, false), (1, true), (1_024, true), (1_025, false)] {
            let text = format!("data = \"/x\"\nspool_mib = {mib}");
            assert_eq!(toml::from_str::<Config>(&text).is_ok(), is_taken, "{mib}");
        }
        for (more, is_by_tls) in [
            ("", false),
            ("public_url = \"http://127.0.0.1:8080\"", false),
            ("public_url = \"https://consult.example\"", true),
            ("[tls]\ncertificate = \"/c\"\nkey = \"/k\"", true),
        ] {
            let config: Config = toml::from_str(&format!("data = \"/x\"\n{more}")).expect("a file");
            assert_eq!(config.is_by_tls(), is_by_tls, "{more}");
        }
        assert!(toml::from_str::<Config>("data = \"/x\"\n[media]\nadvertise = [\"nowhere\"]").is_err());
    }

    #[test]
    fn a_token_is_named_in_full_and_a_file_beside_it_is_taken_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let load = |text: &str| {
            let file = folder.path().join("consilium.toml");
            std::fs::write(&file, text).expect("a file");
            Config::load(&file).map(|_| ()).map_err(|error| error.to_string())
        };
        let token = "[master_keys_token]\nmodule = \"/lib.so\"\ntoken = \"t\"\nkeys = [\"k\"]\n";
        let with = |more: &str| load(&format!("data = \"/x\"\n{token}{more}\n"));
        assert_eq!(with("pin_file = \"/pin\""), Ok(()));
        assert_eq!(with("pin_variable = \"PIN\""), Ok(()));
        for bad in ["", "pin_file = \"/pin\"\npin_variable = \"PIN\""] {
            assert!(with(bad).is_err_and(|said| said.contains("one of them")), "{bad}");
        }
        let said = with("pin = \"1234\"").expect_err("no secret in here");
        assert!(said.contains("line 6: unknown field `pin`") && !said.contains("1234"), "{said}");
        let [file, variable] = ["master_keys_file = \"/f\"\n", "master_keys_variable = \"V\"\n"];
        let beside = |more: &str| load(&format!("data = \"/x\"\n{more}{token}pin_file = \"/pin\"\n"));
        assert_eq!((beside(file), beside(variable)), (Ok(()), Ok(())));
        assert!(beside(&format!("{file}{variable}")).is_err());
        let relative =
            "[master_keys_token]\nmodule = \"lib.so\"\ntoken = \"t\"\nkeys = [\"k\"]\npin_file = \"/pin\"\n";
        assert!(load(&format!("data = \"/x\"\n{relative}")).is_err_and(|said| said.contains("whole path")));
    }
}
