//! Who is calling: credential to tenant, nothing else.

use super::refusal::Refusal;
use crate::config::Config;
use crate::event::TablePolicy;
use crate::history::{StoreError, TenantId};
use crate::pipeline::SharedStore;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tonic::metadata::MetadataMap;

/// One caller as the service knows it.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Where its workers are kept.
    pub tenant: TenantId,
    /// How its tables are handled.
    pub tables: TablePolicy,
    /// Whether it may send timing of secrets.
    pub secret_typing_allowed: bool,
}

/// All callers. Without configured tenants there is one, and it needs no credential.
#[derive(Debug)]
pub struct Callers {
    single: Option<Caller>,
    by_token: HashMap<[u8; 32], Caller>,
}

/// Name of the single tenant in the store.
const SINGLE_TENANT: &str = "default";

impl Callers {
    /// Makes room for every configured tenant in the store.
    ///
    /// # Errors
    /// When the store cannot write.
    pub fn new(config: &Config, store: &SharedStore) -> Result<Self, StoreError> {
        let mut by_token = HashMap::new();
        for tenant in &config.tenants {
            let caller = Caller {
                tenant: store.tenant(&tenant.id)?,
                tables: tenant.tables,
                secret_typing_allowed: tenant.secret_typing_allowed,
            };
            by_token.insert(tenant.token_sha256, caller);
        }
        let single = if config.tenants.is_empty() {
            Some(Caller {
                tenant: store.tenant(SINGLE_TENANT)?,
                tables: config.tables,
                secret_typing_allowed: config.secret_typing_allowed,
            })
        } else {
            None
        };
        Ok(Self { single, by_token })
    }

    /// All tenants, in the order of the store.
    pub fn tenants(&self) -> Vec<TenantId> {
        let mut tenants: Vec<TenantId> =
            self.by_token.values().chain(&self.single).map(|caller| caller.tenant).collect();
        tenants.sort_unstable();
        tenants
    }

    /// The caller behind a call's `authorization: Bearer …`.
    ///
    /// The token is hashed before it is looked up, so the time the look-up takes tells nothing of any token.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] when the credential is missing or unknown.
    pub fn identify(&self, metadata: &MetadataMap) -> Result<Caller, Refusal> {
        if let Some(caller) = self.single {
            return Ok(caller);
        }
        let header = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let Some(token) = token else { return Err(Refusal::Unauthenticated) };
        let hash: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
        self.by_token.get(&hash).copied().ok_or(Refusal::Unauthenticated)
    }
}
