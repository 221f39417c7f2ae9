// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Disputes} from "../../src/Disputes.sol";
import {Governance} from "../../src/Governance.sol";
import {Members} from "../../src/Members.sol";
import {Operations} from "../../src/Operations.sol";
import {Parameters} from "../../src/Parameters.sol";
import {Pause} from "../../src/Pause.sol";
import {Records} from "../../src/Records.sol";
import {Stake} from "../../src/Stake.sol";
import {Succession} from "../../src/Succession.sol";
import {Upgrades} from "../../src/Upgrades.sol";
import {IDisputes} from "../../src/interfaces/IDisputes.sol";
import {IGovernance} from "../../src/interfaces/IGovernance.sol";
import {IMembers} from "../../src/interfaces/IMembers.sol";
import {IParameters} from "../../src/interfaces/IParameters.sol";
import {IPause} from "../../src/interfaces/IPause.sol";
import {IRecords} from "../../src/interfaces/IRecords.sol";
import {IStake} from "../../src/interfaces/IStake.sol";
import {ISuccession} from "../../src/interfaces/ISuccession.sol";
import {IUpgrades} from "../../src/interfaces/IUpgrades.sol";
import {SystemAddresses} from "../../src/libraries/SystemAddresses.sol";
import {Genesis} from "./Genesis.sol";
import {Test} from "./Test.sol";

/// @title SystemTest
/// @notice Base of tests that need the system contracts at their addresses, with first organizations from genesis.
abstract contract SystemTest is Test {
    IRecords internal constant registry = IRecords(SystemAddresses.RECORDS);
    IMembers internal constant members = IMembers(SystemAddresses.MEMBERS);
    IGovernance internal constant governance = IGovernance(SystemAddresses.GOVERNANCE);
    IParameters internal constant parameters = IParameters(SystemAddresses.PARAMETERS);
    IUpgrades internal constant upgrades = IUpgrades(SystemAddresses.UPGRADES);
    IPause internal constant pause = IPause(SystemAddresses.PAUSE);
    IDisputes internal constant disputes = IDisputes(SystemAddresses.DISPUTES);
    IStake internal constant stake = IStake(SystemAddresses.STAKE);
    ISuccession internal constant succession = ISuccession(SystemAddresses.SUCCESSION);

    uint8 internal constant TRANSACT = 1;
    uint8 internal constant DEPLOY = 2;
    uint8 internal constant ADMINISTER = 4;
    uint8 internal constant ALL = 7;

    /// @dev A permissioned network of `count` organizations with one validator each.
    function _found(uint256 count, bool dev) internal {
        _foundAs(count, dev, false, IMembers.Policy.Permissioned);
    }

    function _foundAs(uint256 count, bool dev, bool open, IMembers.Policy policy) internal {
        vm.etch(SystemAddresses.RECORDS, address(new Records()).code);
        vm.etch(SystemAddresses.MEMBERS, address(new Members()).code);
        vm.etch(SystemAddresses.GOVERNANCE, address(new Governance()).code);
        vm.etch(SystemAddresses.PARAMETERS, address(new Parameters()).code);
        vm.etch(SystemAddresses.UPGRADES, address(new Upgrades()).code);
        vm.etch(SystemAddresses.PAUSE, address(new Pause()).code);
        vm.etch(SystemAddresses.DISPUTES, address(new Disputes()).code);
        vm.etch(SystemAddresses.STAKE, address(new Stake()).code);
        vm.etch(SystemAddresses.SUCCESSION, address(new Succession()).code);
        vm.etch(SystemAddresses.OPERATIONS, address(new Operations()).code);

        Genesis.Founder[] memory founders = new Genesis.Founder[](count);
        for (uint256 i = 0; i < count; ++i) {
            bytes32[] memory keys = new bytes32[](1);
            keys[0] = _key(i);
            founders[i] = Genesis.Founder(_org(i), "founder", _admin(i), 2, keys);
        }
        Genesis.write(dev, open, policy, founders);
        vm.roll(10);
        vm.warp(1_000_000);
    }

    /// @dev Ends the block: what happened in it can be looked back at from the next.
    function _nextBlock() internal {
        vm.roll(vm.getBlockNumber() + 1);
    }

    function _pass(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
    }

    /// @dev The next call comes from an accepted proposal.
    function _governing() internal {
        vm.prank(SystemAddresses.GOVERNANCE);
    }

    function _asAdmin(uint256 index) internal {
        vm.prank(_admin(index));
    }

    function _org(uint256 index) internal pure returns (bytes32 organization) {
        return keccak256(abi.encode("organization", index));
    }

    function _admin(uint256 index) internal pure returns (address account) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return address(uint160(0xAD000000 + index)); // indices are small
    }

    function _account(uint256 index) internal pure returns (address account) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return address(uint160(0xACC00000 + index)); // indices are small
    }

    /// @dev Not ascending by index, so that order is a matter of the contract.
    function _key(uint256 index) internal pure returns (bytes32 key) {
        return keccak256(abi.encode("key", index));
    }

    function _assertArtifact(address target, string memory path) internal view {
        bytes32 committed = keccak256(vm.parseJsonBytes(vm.readFile(path), ".deployedBytecode"));
        vm.assertEq(target.codehash, committed, "stale artifact, run: node build.mjs");
    }
}
