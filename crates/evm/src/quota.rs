//! How much of a block's gas each account and each organization may use.

use crate::transaction::Invalid;
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// The most that may be used in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// By the transactions of one account.
    pub account_gas: u64,
    /// By the transactions of one organization's accounts. Accounts of none share nothing.
    pub organization_gas: u64,
}

impl Quotas {
    /// As much as there is.
    pub const UNLIMITED: Self = Self {
        account_gas: u64::MAX,
        organization_gas: u64::MAX,
    };
}

/// What was used of a block so far.
#[derive(Debug)]
pub(crate) struct Usage {
    quotas: Option<Quotas>,
    accounts: BTreeMap<Address, u64>,
    organizations: BTreeMap<B256, u64>,
}

impl Usage {
    pub(crate) const fn new(quotas: Option<Quotas>) -> Self {
        Self {
            quotas,
            accounts: BTreeMap::new(),
            organizations: BTreeMap::new(),
        }
    }

    /// Whether a transaction with this gas limit fits.
    ///
    /// # Errors
    /// [`Invalid::Quota`].
    pub(crate) fn fits(
        &self,
        account: &Address,
        organization: &B256,
        want: u64,
    ) -> Result<(), Invalid> {
        let Some(quotas) = self.quotas else {
            return Ok(());
        };
        let left = |quota: u64, used: Option<&u64>| {
            quota.saturating_sub(used.copied().unwrap_or_default())
        };
        let of_account = left(quotas.account_gas, self.accounts.get(account));
        let used = self.organizations.get(organization);
        let of_organization = left(quotas.organization_gas, used);
        let left = of_account.min(of_organization);
        if want > left {
            return Err(Invalid::Quota { want, left });
        }
        Ok(())
    }

    /// Counts what a transaction used.
    pub(crate) fn add(&mut self, account: Address, organization: B256, gas: u64) {
        if self.quotas.is_none() {
            return;
        }
        let add = |used: &mut u64| *used = used.saturating_add(gas);
        add(self.accounts.entry(account).or_default());
        if !organization.is_zero() {
            add(self.organizations.entry(organization).or_default());
        }
    }
}
