// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IMembers} from "../src/interfaces/IMembers.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {Test} from "./base/Test.sol";
import {MembersModel} from "./model/MembersModel.sol";

/// @title MembersHandler
/// @notice What forge calls at random: governance and all administrators at once. Each call runs beside the model, which
/// says whether it must pass; every call is in a block of its own.
contract MembersHandler is MembersModel {
    uint256 private _steps;

    /// @dev How many organizations were active at the end of each block, as the model counted.
    mapping(uint256 height => uint256 count) private _activeThen;

    constructor() {
        _foundModel();
        _activeThen[vm.getBlockNumber()] = FOUNDERS;
    }

    function addOrganization(uint256 organization, uint256 administrator, uint16 limit) external {
        (organization, administrator, limit) = (organization % ORGANIZATIONS, administrator % ACCOUNTS, limit % 5);
        bytes memory data =
            abi.encodeCall(IMembers.addOrganization, (_org(organization), "added", _admin(administrator), limit));
        _govern(data, _expectAdd(organization, administrator, limit));
    }

    function suspendOrganization(uint256 organization) external {
        organization %= ORGANIZATIONS;
        _govern(abi.encodeCall(IMembers.suspendOrganization, (_org(organization))), _expectSuspend(organization));
    }

    function reinstateOrganization(uint256 organization) external {
        organization %= ORGANIZATIONS;
        _govern(abi.encodeCall(IMembers.reinstateOrganization, (_org(organization))), _expectReinstate(organization));
    }

    function removeOrganization(uint256 organization, uint256 often) external {
        // Seldom: what is removed never returns, and an empty network teaches nothing.
        if (often % 4 != 0) return;
        organization %= ORGANIZATIONS;
        _govern(abi.encodeCall(IMembers.removeOrganization, (_org(organization))), _expectRemove(organization));
    }

    function setValidatorLimit(uint256 organization, uint16 limit) external {
        (organization, limit) = (organization % ORGANIZATIONS, limit % 5);
        bytes memory data = abi.encodeCall(IMembers.setValidatorLimit, (_org(organization), limit));
        _govern(data, _expectLimit(organization, limit));
    }

    function appointAdministrator(uint256 organization, uint256 account) external {
        (organization, account) = (organization % ORGANIZATIONS, account % ACCOUNTS);
        bytes memory data = abi.encodeCall(IMembers.appointAdministrator, (_org(organization), _admin(account)));
        _govern(data, _expectAppoint(organization, account));
    }

    function setAccount(uint256 sender, uint256 account, uint8 permissions) external {
        (sender, account, permissions) = (sender % ACCOUNTS, account % ACCOUNTS, permissions % 9);
        bytes memory data = abi.encodeCall(IMembers.setAccount, (_admin(account), permissions));
        _send(_admin(sender), data, _expectSetAccount(sender, account, permissions));
    }

    function quit(uint256 sender) external {
        sender %= ACCOUNTS;
        _send(_admin(sender), abi.encodeCall(IMembers.quit, ()), _expectQuit(sender));
    }

    function setNode(uint256 sender, uint256 key, uint8 role) external {
        (sender, key) = (sender % ACCOUNTS, key % KEYS);
        IMembers.Role wanted = IMembers.Role(role % 3);
        bytes memory data = abi.encodeCall(IMembers.setNode, (_key(key), wanted));
        _send(_admin(sender), data, _expectSetNode(sender, key, wanted));
    }

    function replaceNode(uint256 sender, uint256 key, uint256 successor) external {
        (sender, key, successor) = (sender % ACCOUNTS, key % KEYS, successor % KEYS);
        bytes memory data = abi.encodeCall(IMembers.replaceNode, (_key(key), _key(successor)));
        _send(_admin(sender), data, _expectReplace(sender, key, successor));
    }

    function check() external view {
        _assertMembers();
    }

    /// @notice Fails unless every block since genesis is remembered as it ended.
    function checkHistory() external view {
        vm.assertEq(vm.getBlockNumber(), 10 + _steps, "a block for every call");
        for (uint256 height = 10; height < vm.getBlockNumber(); ++height) {
            vm.assertEq(members.activeAt(height), _activeThen[height], "active at a height");
        }
    }

    /// @notice Fails unless somebody can vote, somebody can act for everyone who stands, and a fault is tolerated.
    function checkNobodyIsLockedOut() external view {
        vm.assertTrue(_activeCount() >= 1, "somebody votes");
        vm.assertTrue(_validatorCount(0) >= 4, "four validators");
        for (uint256 i = 0; i < ORGANIZATIONS; ++i) {
            vm.assertTrue(!_stands(i) || _administratorCount(i + 1) >= 1, "an administrator");
        }
    }

    function _govern(bytes memory data, bool allowed) private {
        _send(SystemAddresses.GOVERNANCE, data, allowed);
    }

    function _send(address sender, bytes memory data, bool allowed) private {
        _nextBlock();
        ++_steps;
        vm.prank(sender);
        (bool ok,) = SystemAddresses.MEMBERS.call(data);
        vm.assertTrue(ok == allowed, allowed ? "must pass" : "must be refused");
        _activeThen[vm.getBlockNumber()] = _activeCount();
    }
}

/// @title MembersInvariantTest
/// @notice What holds whoever does what, in whatever order.
contract MembersInvariantTest is Test {
    MembersHandler private _handler;

    function setUp() external {
        _handler = new MembersHandler();
    }

    /// @notice Read by forge: whom to call at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_MembersAreWhatTheModelSays() external view {
        _handler.check();
    }

    function invariant_NobodyIsLockedOut() external view {
        _handler.checkNobodyIsLockedOut();
    }

    function afterInvariant() external view {
        _handler.checkHistory();
    }
}
