// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../src/interfaces/IBallots.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {IMembers} from "../src/interfaces/IMembers.sol";
import {IPause} from "../src/interfaces/IPause.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title GovernanceGasTest
/// @notice What whole transactions of governance cost, intrinsic gas and calldata included, kept in
/// `snapshots/Governance.json`. The sizes are the greatest there can be where a loop runs over them.
contract GovernanceGasTest is SystemTest {
    function setUp() external {
        _found(32, false);
    }

    /// forge-config: default.isolate = true
    function test_Gas_SetAccount() external {
        _asAdmin(1);
        members.setAccount(_account(1), TRANSACT);
        vm.snapshotGasLastCall("Governance", "add an account");
    }

    /// forge-config: default.isolate = true
    function test_Gas_ReplaceValidatorAmong32() external {
        // The lowest key goes and the highest comes: every place of the list is written twice at most.
        bytes32 lowest = members.validators()[0];
        uint256 owner = 0;
        while (_key(owner) != lowest) {
            ++owner;
        }
        _asAdmin(owner);
        members.replaceNode(lowest, bytes32(type(uint256).max));
        uint256 gasUsed = vm.snapshotGasLastCall("Governance", "replace a validator among 32");
        vm.assertTrue(gasUsed < 1_000_000, "no reason to hold on to a key");
    }

    /// forge-config: default.isolate = true
    function test_Gas_RemoveTheGreatestOrganization() external {
        for (uint256 i = 1; i < 16; ++i) {
            _asAdmin(31);
            members.setNode(_key(100 + i), IMembers.Role.Observer);
        }
        _governing();
        members.removeOrganization(_org(31));
        uint256 gasUsed = vm.snapshotGasLastCall("Governance", "remove an organization with 16 nodes");
        vm.assertTrue(gasUsed < 1_000_000, "sixteen such actions fit the transaction gas cap of EIP-7825");
    }

    /// forge-config: default.isolate = true
    function test_Gas_ProposeVoteExecute() external {
        IGovernance.Action[] memory actions = new IGovernance.Action[](1);
        actions[0] = IGovernance.Action(IGovernance.Kind.SetValidatorLimit, abi.encode(_org(3), 5));
        _asAdmin(0);
        governance.propose(actions, "more validators");
        vm.snapshotGasLastCall("Governance", "propose one action");
        for (uint256 i = 0; i < 22; ++i) {
            _asAdmin(i);
            governance.vote(1, IBallots.Choice.Approve);
        }
        vm.snapshotGasLastCall("Governance", "vote");
        _pass(1 days);
        governance.execute(1);
        vm.snapshotGasLastCall("Governance", "execute one action");
    }

    /// forge-config: default.isolate = true
    function test_Gas_Pause() external {
        _asAdmin(0);
        pause.movePause(IPause.Scope.Organization, _org(1), 1 days);
        vm.snapshotGasLastCall("Governance", "move a pause");
        _asAdmin(2);
        pause.approve(1);
        vm.snapshotGasLastCall("Governance", "approve a pause");
    }
}
