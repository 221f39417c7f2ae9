// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IMembers} from "../src/interfaces/IMembers.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {Genesis} from "./base/Genesis.sol";
import {MembersModel} from "./model/MembersModel.sol";

/// @title MembersFuzzTest
/// @notice Networks of every shape from genesis, and random calls of one administrator against the model.
contract MembersFuzzTest is MembersModel {
    /// @dev What genesis wrote is what the functions would have: every one of them works on it.
    function testFuzz_GenesisOfAnyShape(uint256 count, uint256 seed) external {
        count = 1 + count % 12;
        _found(1, true);
        Genesis.Founder[] memory founders = new Genesis.Founder[](count);
        uint256 total = 0;
        for (uint256 i = 0; i < count; ++i) {
            bytes32[] memory keys = new bytes32[](1 + (seed >> (4 * i)) % 2);
            for (uint256 j = 0; j < keys.length; ++j) {
                keys[j] = _key(1 + total++);
            }
            founders[i] = Genesis.Founder(keccak256(abi.encode(seed, i)), "any", _account(i), 2, keys);
        }
        Genesis.write(true, false, IMembers.Policy.Permissioned, founders);

        bytes32[] memory validators = members.validators();
        vm.assertEq(validators.length, total, "all validate");
        for (uint256 i = 1; i < total; ++i) {
            vm.assertTrue(validators[i - 1] < validators[i], "ascending");
        }
        vm.assertEq(members.activeAt(0), count, "all are active");

        uint256 chosen = seed % count;
        vm.prank(_account(chosen));
        members.replaceNode(founders[chosen].validators[0], bytes32(uint256(1)));
        vm.assertEq(members.validators()[0], bytes32(uint256(1)), "first of the list now");
        if (count == 1) return;
        _governing();
        members.removeOrganization(founders[chosen].organization);
        vm.assertEq(members.validators().length, total - founders[chosen].validators.length, "gone with its nodes");
        vm.assertEq(members.organizations().length, count - 1, "not listed");
    }

    /// @dev Whatever one administrator sends about accounts, no other organization's account changes.
    function testFuzz_AdministratorTouchesItsOwnOnly(uint256 seed) external {
        _foundModel();
        for (uint256 step = 0; step < 24; ++step) {
            uint256 draw = uint256(keccak256(abi.encode(seed, step)));
            uint256 account = (draw >> 8) % ACCOUNTS;
            uint8 permissions = uint8((draw >> 16) % 8);
            bool allowed = _expectSetAccount(0, account, permissions);
            _asAdmin(0);
            (bool ok,) =
                SystemAddresses.MEMBERS.call(abi.encodeCall(IMembers.setAccount, (_admin(account), permissions)));
            vm.assertTrue(ok == allowed, "allowed");
        }
        for (uint256 i = 1; i < FOUNDERS; ++i) {
            vm.assertEq(members.organizationOf(_admin(i)), _org(i), "others are as they were");
        }
        _assertMembers();
    }
}
