// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IGovernance} from "../interfaces/IGovernance.sol";
import {IMembers} from "../interfaces/IMembers.sol";
import {IParameters} from "../interfaces/IParameters.sol";
import {ISuccession} from "../interfaces/ISuccession.sol";
import {IUpgrades} from "../interfaces/IUpgrades.sol";
import {SystemAddresses} from "./SystemAddresses.sol";

/// @title Actions
/// @notice What governance can do: each kind of action with its contract, its function and the majority it takes.
library Actions {
    /// @notice The call of an action.
    function callOf(IGovernance.Action memory action) internal pure returns (address target, bytes memory data) {
        return (targetOf(action.kind), bytes.concat(selectorOf(action.kind), action.arguments));
    }

    /// @notice Whether more than two thirds must approve: all that decides who decides, and by which rules and code.
    function isCritical(IGovernance.Kind kind) internal pure returns (bool critical) {
        return kind != IGovernance.Kind.SetLimit;
    }

    function targetOf(IGovernance.Kind kind) internal pure returns (address target) {
        if (kind <= IGovernance.Kind.AppointAdministrator) return SystemAddresses.MEMBERS;
        if (kind <= IGovernance.Kind.SetVotingRule) return SystemAddresses.PARAMETERS;
        if (kind <= IGovernance.Kind.SetMinimumVersion) return SystemAddresses.UPGRADES;
        return SystemAddresses.SUCCESSION;
    }

    function selectorOf(IGovernance.Kind kind) internal pure returns (bytes4 selector) {
        if (kind == IGovernance.Kind.AddOrganization) return IMembers.addOrganization.selector;
        if (kind == IGovernance.Kind.SuspendOrganization) return IMembers.suspendOrganization.selector;
        if (kind == IGovernance.Kind.ReinstateOrganization) return IMembers.reinstateOrganization.selector;
        if (kind == IGovernance.Kind.RemoveOrganization) return IMembers.removeOrganization.selector;
        if (kind == IGovernance.Kind.SetValidatorLimit) return IMembers.setValidatorLimit.selector;
        if (kind == IGovernance.Kind.AppointAdministrator) return IMembers.appointAdministrator.selector;
        if (kind == IGovernance.Kind.SetLimit) return IParameters.setLimit.selector;
        if (kind == IGovernance.Kind.SetVotingRule) return IParameters.setVotingRule.selector;
        if (kind == IGovernance.Kind.ScheduleFork) return IUpgrades.scheduleFork.selector;
        if (kind == IGovernance.Kind.CancelFork) return IUpgrades.cancelFork.selector;
        if (kind == IGovernance.Kind.SetMinimumVersion) return IUpgrades.setMinimumVersion.selector;
        if (kind == IGovernance.Kind.CloseNetwork) return ISuccession.close.selector;
        if (kind == IGovernance.Kind.ReopenNetwork) return ISuccession.reopen.selector;
        return ISuccession.nameSuccessor.selector;
    }
}
