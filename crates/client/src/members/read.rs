//! Reading the members from one of several nodes. They are believed.

use super::{Members, Node, Organization, Signing};
use crate::{
    governance::{EpochStart, Governance, GovernanceError},
    node::{self, Committee},
    rpc::Nodes,
};
use alloy_primitives::B256;
use contracts::{SystemContract, abi::IMembers};

const OBSERVER: u8 = 1;
const VALIDATOR: u8 = 2;

impl Members {
    /// Reads who the members are.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn read(nodes: &Nodes) -> Result<Self, GovernanceError> {
        let members = SystemContract::Members;
        let governance = Governance(nodes);
        let nothing: [u8; 0] = [];
        let committee: Committee = nodes.call(node::VALIDATORS, nothing).await?;
        let mut organizations = Vec::new();
        let all = IMembers::organizationsCall {};
        for organization in governance.ask(members, &all).await? {
            let call = IMembers::organizationAtCall { organization };
            let found = governance.ask(members, &call).await?;
            let mut own = Vec::new();
            let call = IMembers::nodesOfCall { organization };
            for key in governance.ask(members, &call).await? {
                let call = IMembers::nodeAtCall { key };
                let role = governance.ask(members, &call).await?.role;
                own.push(Node {
                    key,
                    role: role_name(role).to_owned(),
                    signs: signs(&committee, key),
                });
            }
            organizations.push(Organization {
                id: organization,
                name: found.name,
                status: status_name(found.status).to_owned(),
                validator_limit: found.validatorLimit,
                nodes: own,
            });
        }
        let changes_from = committee.changes_sign_from.to();
        Ok(Self {
            organizations,
            signing: Signing {
                epoch: committee.epoch.to(),
                first_block: committee.first_block.to(),
                last_block: committee.last_block.to(),
                validators: u64::try_from(committee.validators.len()).unwrap_or(u64::MAX),
                quorum: committee.quorum.to(),
                changes_from: EpochStart {
                    epoch: changes_from,
                    block: committee.first_block_of(changes_from),
                },
            },
        })
    }
}

const fn role_name(role: u8) -> &'static str {
    match role {
        OBSERVER => "observer",
        VALIDATOR => "validator",
        _ => "none",
    }
}

const fn status_name(status: u8) -> &'static str {
    match status {
        1 => "active",
        2 => "suspended",
        3 => "removed",
        _ => "none",
    }
}

/// Whether a node signs, in words.
pub(crate) fn signs(committee: &Committee, key: B256) -> String {
    let wanted = committee.elected.contains(&key);
    let epoch: u64 = committee.epoch.to();
    let now = committee
        .validators
        .iter()
        .any(|each| each.public_key == key);
    let next = committee.next.contains(&key);
    let after_next = committee.after_next.contains(&key);
    match (now, next, after_next) {
        (true, true, true) if wanted => "signs".to_owned(),
        (true, true, true) => "signs, until the change is announced".to_owned(),
        (true, true, false) => format!("signs until epoch {}", epoch + 1),
        (true, false, _) => format!("signs until epoch {epoch}"),
        (false, true, _) => format!("signs from epoch {}", epoch + 1),
        (false, false, true) => format!("signs from epoch {}", epoch + 2),
        (false, false, false) if wanted => "signs, once the change is announced".to_owned(),
        (false, false, false) => "follows".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Validator;
    use alloy_primitives::U64;

    #[test]
    fn a_node_comes_and_goes_in_steps() {
        let key = B256::repeat_byte(1);
        let keys = |is: bool| if is { vec![key] } else { vec![] };
        let at = |now: bool, next, after_next, wanted: bool| {
            let committee = Committee {
                epoch: U64::from(7),
                first_block: U64::from(70),
                last_block: U64::from(79),
                quorum: U64::from(3),
                validators: keys(now)
                    .into_iter()
                    .map(|public_key| Validator {
                        index: U64::ZERO,
                        public_key,
                    })
                    .collect(),
                next: keys(next),
                after_next: keys(after_next),
                elected: keys(wanted),
                changes_sign_from: U64::from(10),
            };
            assert_eq!(committee.first_block_of(10), 100);
            signs(&committee, key)
        };
        let coming = [
            at(false, false, false, true),
            at(false, false, true, true),
            at(false, true, true, true),
            at(true, true, true, true),
        ];
        assert_eq!(
            coming,
            [
                "signs, once the change is announced",
                "signs from epoch 9",
                "signs from epoch 8",
                "signs"
            ]
        );
        let going = [
            at(true, true, true, false),
            at(true, true, false, false),
            at(true, false, false, false),
            at(false, false, false, false),
        ];
        assert_eq!(
            going,
            [
                "signs, until the change is announced",
                "signs until epoch 8",
                "signs until epoch 7",
                "follows"
            ]
        );
    }
}
