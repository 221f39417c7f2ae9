// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title Governed
/// @notice What the contracts share that `Governance` may change.
interface IGoverned {
    /// @notice Only an accepted proposal may do this, by way of `Governance`.
    /// @param sender Who tried.
    error NotGovernance(address sender);
}
