//! A call as a transaction that nobody signed.

use crate::call::Call;
use alloy_consensus::{
    SignableTransaction as _, Signed, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy,
};
use alloy_primitives::{Signature, TxKind, U256};

impl Call {
    /// The call as a transaction whose signature is zero.
    pub fn unsigned(&self, chain_id: u64) -> TxEnvelope {
        let signature = Signature::new(U256::ZERO, U256::ZERO, false);
        let to = self.to.map_or(TxKind::Create, TxKind::Call);
        let (nonce, gas_limit, value) = (self.nonce, self.gas, self.value);
        let input = self.input.clone();
        let access_list = self.access_list.clone();
        let tip = self.tip.unwrap_or_default();
        if let Some(to) = self.to
            && !self.authorizations.is_empty()
        {
            let transaction = TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: self.gas_price,
                max_priority_fee_per_gas: tip,
                to,
                value,
                access_list,
                authorization_list: self.authorizations.clone(),
                input,
            };
            return sealed(transaction.into_signed(signature));
        }
        if self.tip.is_some() {
            let transaction = TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas: self.gas_price,
                max_priority_fee_per_gas: tip,
                to,
                value,
                access_list,
                input,
            };
            return sealed(transaction.into_signed(signature));
        }
        if !access_list.is_empty() {
            let transaction = TxEip2930 {
                chain_id,
                nonce,
                gas_price: self.gas_price,
                gas_limit,
                to,
                value,
                access_list,
                input,
            };
            return sealed(transaction.into_signed(signature));
        }
        let transaction = TxLegacy {
            chain_id: Some(chain_id),
            nonce,
            gas_price: self.gas_price,
            gas_limit,
            to,
            value,
            input,
        };
        sealed(transaction.into_signed(signature))
    }
}

fn sealed<T>(signed: Signed<T>) -> TxEnvelope
where
    TxEnvelope: From<Signed<T>>,
{
    signed.into()
}
