//! Settings: what was written becomes `Config` by [`ConfigUnchecked::check`], and only that runs anything.
//!
//! A file (TOML), then the environment (`ELSEWHERE_…`), then flags; the later wins. Every default has its reason here.

use crate::event::{TablePolicy, limits};
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::UncasedStr;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One tenant as written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TenantUnchecked {
    /// Name of the tenant in the store; never leaves the service.
    pub id: String,
    /// SHA-256 of the bearer token, in hexadecimal. The token itself is never written down.
    pub token_sha256: String,
    /// Whether the tenant sends cadence tables, and so no ordered free typing.
    #[serde(default)]
    pub cadence_tables: bool,
    /// Whether timing of secrets may be sent.
    #[serde(default)]
    pub secret_typing: bool,
}

/// Settings as written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigUnchecked {
    /// Address to listen on. Loopback by default: without tenants nobody else may call.
    pub listen: String,
    /// Directory of the store. Empty keeps everything in memory and forgets it at the end.
    pub data_dir: Option<PathBuf>,
    /// Directories of models to load; the first answers by default. Empty loads the model shipped with the binary.
    pub models: Vec<PathBuf>,
    /// Who may call. Empty serves one tenant without credential, on loopback only.
    pub tenants: Vec<TenantUnchecked>,
    /// Certificate chain in PEM; needs `tls_key` too.
    pub tls_certificate: Option<PathBuf>,
    /// Private key in PEM.
    pub tls_key: Option<PathBuf>,
    /// Calls in flight beyond which load is shed. 512 keep two cores busy; a login waits milliseconds, not a queue.
    pub in_flight_max: usize,
    /// Sessions monitored at once. 10 000 take under 400 MiB; beyond, opening another is shed.
    pub monitored_sessions_max: usize,
    /// Longest a call may take, milliseconds, when the caller set no deadline.
    pub deadline_millis: u64,
    /// Days a verdict can be asked for. Appeals come within a month.
    pub verdict_retention_days: u32,
    /// Days after which an unseen worker is forgotten: a long leave.
    pub worker_retention_days: u32,
    /// Seconds that calls in flight get to finish after SIGTERM.
    pub drain_seconds: u64,
    /// Minutes a nonce is valid: as long as a login page may stay open.
    pub nonce_minutes: u32,
    /// Whether the single tenant's cadence tables are taken.
    pub cadence_tables: bool,
    /// Whether the single tenant's timing of secrets is taken.
    pub secret_typing: bool,
    /// Flags per honest worker-month the threshold aims at; absent takes the model's.
    pub false_flag_budget: Option<f64>,
    /// Address databases (.mmdb) that fill in what callers leave out; the first that tells a fact wins. None looks
    /// nothing up.
    pub address_databases: Vec<PathBuf>,
    /// Whether what they tell replaces what callers sent: off, since a caller may know its own networks better.
    pub address_databases_prevail: bool,
    /// Address and port of the page of metrics; absent counts nothing.
    pub metrics_listen: Option<String>,
    /// Directory of a model that judges in shadow; needs `metrics_listen`, where it is told.
    pub shadow_model: Option<PathBuf>,
}

impl Default for ConfigUnchecked {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:50061".into(),
            data_dir: None,
            models: Vec::new(),
            tenants: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            in_flight_max: 512,
            monitored_sessions_max: limits::MONITORED_SESSIONS,
            deadline_millis: 5_000,
            verdict_retention_days: 30,
            worker_retention_days: 400,
            drain_seconds: 20,
            nonce_minutes: limits::NONCE_MINUTES,
            cadence_tables: false,
            secret_typing: false,
            false_flag_budget: None,
            address_databases: Vec::new(),
            address_databases_prevail: false,
            metrics_listen: None,
            shadow_model: None,
        }
    }
}

/// One tenant, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Name in the store.
    pub id: String,
    /// SHA-256 of the bearer token.
    pub token_sha256: [u8; 32],
    /// How tables are handled.
    pub tables: TablePolicy,
    /// Whether timing of secrets may be sent.
    pub secret_typing_allowed: bool,
}

/// Settings, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Directory of the store; `None` keeps everything in memory.
    pub data_dir: Option<PathBuf>,
    /// Directories of models; empty loads the shipped one.
    pub models: Vec<PathBuf>,
    /// Who may call; empty serves one tenant on loopback.
    pub tenants: Vec<Tenant>,
    /// Certificate chain and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Calls in flight beyond which load is shed.
    pub in_flight_max: usize,
    /// Sessions monitored at once.
    pub monitored_sessions_max: usize,
    /// Longest a call may take.
    pub deadline: Duration,
    /// How long a verdict can be asked for, microseconds.
    pub verdict_retention_micros: i64,
    /// How long an unseen worker is kept, microseconds.
    pub worker_retention_micros: i64,
    /// How long calls in flight get after SIGTERM.
    pub drain: Duration,
    /// How long a nonce is valid, microseconds.
    pub nonce_micros: i64,
    /// How the single tenant's tables are handled.
    pub tables: TablePolicy,
    /// Whether the single tenant's timing of secrets is taken.
    pub secret_typing_allowed: bool,
    /// Budget in place of the model's.
    pub false_flag_budget: Option<f64>,
    /// Address databases, in the order they are asked.
    pub address_databases: Vec<PathBuf>,
    /// Whether what they tell replaces what callers sent.
    pub address_databases_prevail: bool,
    /// Address of the page of metrics; `None` counts nothing.
    pub metrics_listen: Option<SocketAddr>,
    /// Directory of the model in shadow.
    pub shadow_model: Option<PathBuf>,
}

/// Reads defaults, file, environment and flags, in this order.
///
/// `flags` holds only what was given on the command line.
///
/// # Errors
/// Says which setting of which source does not parse.
pub fn read(file: Option<&Path>, flags: impl Serialize) -> Result<ConfigUnchecked, String> {
    let mut figment = Figment::from(Serialized::defaults(ConfigUnchecked::default()));
    if let Some(file) = file {
        if !file.is_file() {
            return Err(format!("there is no configuration file {}", file.display()));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    figment
        .merge(Env::prefixed("ELSEWHERE_").ignore(&["log", "config", "token"]).filter(|key| !of_an_orchestrator(key)))
        .merge(Serialized::globals(flags))
        .extract()
        .map_err(|error| error.into_iter().map(told).collect::<Vec<_>>().join("; "))
}

/// Whether a variable tells of a service named `elsewhere` rather than sets something: Kubernetes hands every pod such
/// as ELSEWHERE_SERVICE_HOST and ELSEWHERE_PORT_50061_TCP_ADDR, and no setting begins like them.
fn of_an_orchestrator(key: &UncasedStr) -> bool {
    let key = key.as_str().to_ascii_lowercase();
    key == "port" || ["service_host", "service_port", "port_"].iter().any(|begin| key.starts_with(begin))
}

/// One error of one source, without the words of our types.
fn told(error: figment::Error) -> String {
    let source = error.metadata.as_ref().map_or_else(String::new, |source| match &source.source {
        Some(file) => format!(" in {file}"),
        None => format!(" in {}", source.name),
    });
    let key = error.path.join(".");
    let named = if key.is_empty() { String::new() } else { format!(" `{key}`") };
    let kind = match error.kind {
        Kind::UnknownField(_, known) => format!("is no setting: there are {}", known.join(", ")),
        Kind::MissingField(field) => format!("lacks `{field}`"),
        Kind::InvalidType(found, wanted) => format!("is {found}: send {}", plain(&wanted)),
        Kind::InvalidValue(found, wanted) => format!("is {found}: send {}", plain(&wanted)),
        other => return format!("configuration{source}: {}", other.to_string().trim()),
    };
    format!("configuration{source}:{named} {kind}")
}

/// What was wanted, in words of whoever writes a file.
fn plain(wanted: &str) -> &str {
    match wanted {
        "usize" | "u64" | "u32" => "a whole number, 0 or more",
        "f64" => "a number",
        other => other,
    }
}

fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl ConfigUnchecked {
    /// Checks every setting.
    ///
    /// # Errors
    /// Names the first setting that cannot be used, and what to do.
    pub fn check(self) -> Result<Config, String> {
        let listen: SocketAddr = self
            .listen
            .parse()
            .map_err(|_| format!("`listen` is {:?}: an address and a port such as 127.0.0.1:50061", self.listen))?;
        let tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("`tls_certificate` and `tls_key` come together: give both or neither".into()),
        };
        if self.tenants.is_empty() && !listen.ip().is_loopback() {
            return Err(format!(
                "`listen` is {listen} but no tenant has a credential: name `tenants`, or listen on loopback"
            ));
        }
        if !self.tenants.is_empty() && tls.is_none() && !listen.ip().is_loopback() {
            return Err(
                "bearer tokens would cross the network in the clear: give `tls_certificate` and `tls_key`, or \
                        listen on loopback behind a proxy that ends TLS"
                    .into(),
            );
        }
        let mut tenants: Vec<Tenant> = Vec::new();
        for tenant in self.tenants {
            let token_sha256 = parse_sha256(&tenant.token_sha256)
                .ok_or_else(|| format!("`token_sha256` of tenant {:?} is not 64 hexadecimal digits", tenant.id))?;
            if tenant.id.is_empty() || tenants.iter().any(|other| other.id == tenant.id) {
                return Err(format!("tenant id {:?} is empty or given twice", tenant.id));
            }
            if tenants.iter().any(|other| other.token_sha256 == token_sha256) {
                return Err(format!("tenant {:?} has another tenant's token", tenant.id));
            }
            tenants.push(Tenant {
                id: tenant.id,
                token_sha256,
                tables: if tenant.cadence_tables { TablePolicy::OptedIn } else { TablePolicy::Refused },
                secret_typing_allowed: tenant.secret_typing,
            });
        }
        for (name, value) in [
            ("in_flight_max", self.in_flight_max as u64),
            ("monitored_sessions_max", self.monitored_sessions_max as u64),
            ("deadline_millis", self.deadline_millis),
        ] {
            if value == 0 {
                return Err(format!("`{name}` is 0: nothing could ever be answered"));
            }
        }
        if !(1..=3_650).contains(&self.verdict_retention_days) {
            return Err("`verdict_retention_days` must be 1 to 3650: replies are kept for a day at least".into());
        }
        if !(1..=3_650).contains(&self.worker_retention_days) {
            return Err("`worker_retention_days` must be 1 to 3650".into());
        }
        if !(1..=limits::NONCE_MINUTES_MAX).contains(&self.nonce_minutes) {
            return Err(format!(
                "`nonce_minutes` must be 1 to {}: a nonce is for one login",
                limits::NONCE_MINUTES_MAX
            ));
        }
        if let Some(budget) = self.false_flag_budget
            && !(1e-6..=0.1).contains(&budget)
        {
            return Err(format!("`false_flag_budget` is {budget}: flags per honest worker-month, 1e-6 to 0.1"));
        }
        let metrics_listen = match &self.metrics_listen {
            Some(address) => Some(address.parse().map_err(|_| {
                format!("`metrics_listen` is {address:?}: an address and a port such as 127.0.0.1:9464")
            })?),
            None => None,
        };
        if self.shadow_model.is_some() && metrics_listen.is_none() {
            return Err("`shadow_model` is told in the metrics alone: set `metrics_listen` too".into());
        }
        Ok(Config {
            listen,
            data_dir: self.data_dir,
            models: self.models,
            tenants,
            tls,
            in_flight_max: self.in_flight_max,
            monitored_sessions_max: self.monitored_sessions_max,
            deadline: Duration::from_millis(self.deadline_millis),
            verdict_retention_micros: i64::from(self.verdict_retention_days) * MICROS_PER_DAY,
            worker_retention_micros: i64::from(self.worker_retention_days) * MICROS_PER_DAY,
            drain: Duration::from_secs(self.drain_seconds),
            nonce_micros: i64::from(self.nonce_minutes) * 60_000_000,
            tables: if self.cadence_tables { TablePolicy::OptedIn } else { TablePolicy::Refused },
            secret_typing_allowed: self.secret_typing,
            false_flag_budget: self.false_flag_budget,
            address_databases: self.address_databases,
            address_databases_prevail: self.address_databases_prevail,
            metrics_listen,
            shadow_model: self.shadow_model,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_usable() {
        assert!(ConfigUnchecked::default().check().is_ok());
    }

    #[test]
    fn an_open_door_without_credentials_is_refused() {
        let open = ConfigUnchecked { listen: "0.0.0.0:50061".into(), ..ConfigUnchecked::default() };
        assert!(open.check().is_err_and(|error| error.contains("tenants")));
    }

    #[test]
    fn a_token_that_is_not_a_hash_is_named() {
        let tenants = vec![TenantUnchecked {
            id: "acme".into(),
            token_sha256: "secret".into(),
            cadence_tables: false,
            secret_typing: false,
        }];
        let config = ConfigUnchecked { tenants, ..ConfigUnchecked::default() };
        assert!(config.check().is_err_and(|error| error.contains("acme")));
    }
}
