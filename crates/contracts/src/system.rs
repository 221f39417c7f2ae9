//! The system contracts: where each stands, and its code, from genesis on.

use alloy_primitives::{Address, Bytes, hex};

/// A contract that every network has from genesis on. `contracts/README.md` says what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SystemContract {
    /// Who committed to what.
    Records = 1,
    /// Organizations, accounts, nodes, validators.
    Members,
    /// Proposals and votes.
    Governance,
    /// What can be set.
    Parameters,
    /// Forks.
    Upgrades,
    /// What is stopped for a while.
    Pause,
    /// Claims and rulings.
    Disputes,
    /// Bonds, in open networks.
    Stake,
    /// The network's end, and what goes on with its state.
    Succession,
    /// Contract calls that happen at most once.
    Operations,
}

/// The code in an artifact, decoded by the compiler: a damaged file does not build.
macro_rules! runtime_code {
    ($name:literal) => {{
        const HEX: &str = include_str!(concat!(
            "../../../contracts/artifacts/",
            $name,
            ".runtime.hex"
        ));
        static CODE: [u8; HEX.len() / 2 - 1] = match hex::const_decode_to_array(HEX.as_bytes()) {
            Ok(code) => code,
            Err(_) => panic!(concat!(
                "contracts/artifacts/",
                $name,
                ".runtime.hex is not hex: run `node build.mjs` in contracts/"
            )),
        };
        Bytes::from_static(&CODE)
    }};
}

impl SystemContract {
    /// All of them, in the order of their addresses.
    pub const ALL: [Self; 10] = [
        Self::Records,
        Self::Members,
        Self::Governance,
        Self::Parameters,
        Self::Upgrades,
        Self::Pause,
        Self::Disputes,
        Self::Stake,
        Self::Succession,
        Self::Operations,
    ];

    /// Where it stands: ASCII "ASHLAR", zeros, its number.
    pub const fn address(self) -> Address {
        let mut bytes = [0; 20];
        let (name, _) = bytes.split_at_mut(6);
        name.copy_from_slice(b"ASHLAR");
        if let Some(last) = bytes.last_mut() {
            *last = self as u8;
        }
        Address::new(bytes)
    }

    /// Its code at genesis.
    pub fn runtime_code(self) -> Bytes {
        match self {
            Self::Records => runtime_code!("Records"),
            Self::Members => runtime_code!("Members"),
            Self::Governance => runtime_code!("Governance"),
            Self::Parameters => runtime_code!("Parameters"),
            Self::Upgrades => runtime_code!("Upgrades"),
            Self::Pause => runtime_code!("Pause"),
            Self::Disputes => runtime_code!("Disputes"),
            Self::Stake => runtime_code!("Stake"),
            Self::Succession => runtime_code!("Succession"),
            Self::Operations => runtime_code!("Operations"),
        }
    }
}

/// Whether an address is kept for the contracts that govern: those there are but `Records` and `Operations`, which work, and
/// later ones.
pub fn is_governing(address: &Address) -> bool {
    let records = SystemContract::Records.address();
    let kept = address.as_slice().starts_with(&records.as_slice()[..18]);
    kept && address != &records && address != &SystemContract::Operations.address()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;

    #[test]
    fn addresses_are_numbered() {
        let records = address!("0x4153484c41520000000000000000000000000001");
        for (number, contract) in (1..).zip(SystemContract::ALL) {
            let address = contract.address();
            assert_eq!(address[19], number, "{contract:?}");
            assert_eq!(address[..19], records[..19]);
            assert_eq!(is_governing(&address), number != 1 && number != 10);
        }
        assert_eq!(SystemContract::Records.address(), records);
        let mut later = records;
        later[18] = 0xff;
        assert!(is_governing(&later));
        later[17] = 1;
        assert!(!is_governing(&later) && !is_governing(&Address::ZERO));
    }
}
