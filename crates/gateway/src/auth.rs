//! Whose request it is.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use crate::{
    app::App,
    config::ApiKey,
    problem::{Code, Refusal},
};

/// The tenants' keys, as digests.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Vec<(Arc<str>, [u8; 32])>);

/// The tenant whose key came with the request. A handler that takes it is closed to everyone else.
#[derive(Debug, Clone)]
pub(crate) struct Tenant(pub(crate) Arc<str>);

impl Keys {
    pub(crate) fn new(keys: &[ApiKey]) -> Self {
        Self(
            keys.iter()
                .map(|key| (key.tenant.as_str().into(), key.sha256))
                .collect(),
        )
    }

    /// Compares with every key, always in the same time: neither which key nor how much of it matched shows.
    fn tenant(&self, text: &str) -> Option<Tenant> {
        let digest = ApiKey::digest(text);
        // 0 for none, or one more than the index.
        let mut found = 0_u64;
        for (index, (_, expected)) in (1..).zip(&self.0) {
            found.conditional_assign(&index, digest.ct_eq(expected));
        }
        let index = usize::try_from(found).ok()?.checked_sub(1)?;
        self.0
            .get(index)
            .map(|(tenant, _)| Tenant(Arc::clone(tenant)))
    }
}

impl FromRequestParts<Arc<App>> for Tenant {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let refuse = |detail| Refusal::new(Code::Unauthorized, detail);
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(refuse(
                "The request has no Authorization header, or more than one.",
            ));
        };
        let text = value.to_str().ok().and_then(|value| value.split_once(' '));
        let Some((_, key)) = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        else {
            return Err(refuse(
                "The Authorization header is not of the form `Bearer <API key>`.",
            ));
        };
        app.keys
            .tenant(key.trim())
            .ok_or_else(|| refuse("The API key is not known here."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_its_tenant_and_nothing_else_to_anyone() {
        let (first, acme) = ApiKey::generate("acme");
        let (second, again) = ApiKey::generate("acme");
        let (third, other) = ApiKey::generate("other");
        let keys = Keys::new(&[acme, again, other]);
        let tenant = |text: &str| keys.tenant(text).map(|tenant| tenant.0.to_string());
        assert_eq!(tenant(&first).as_deref(), Some("acme"));
        assert_eq!(tenant(&second).as_deref(), Some("acme"));
        assert_eq!(tenant(&third).as_deref(), Some("other"));
        for text in [
            "",
            "ashlar_",
            &first[..first.len() - 1],
            &format!("{first}0"),
            &first.to_uppercase(),
        ] {
            assert_eq!(tenant(text), None, "{text}");
        }
    }
}
