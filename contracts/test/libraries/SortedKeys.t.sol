// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {SortedKeys} from "../../src/libraries/SortedKeys.sol";
import {Test} from "../base/Test.sol";

/// @title SortedKeysTest
/// @notice Lists of up to 32 keys, against what a list of flags says.
contract SortedKeysTest is Test {
    using SortedKeys for bytes32[];

    bytes32[] private _keys;
    bool[32] private _present;

    function testFuzz_ListStaysAscending(uint256 seed) external {
        for (uint256 step = 0; step < 80; ++step) {
            uint256 key = uint256(keccak256(abi.encode(seed, step))) % 32;
            if (_present[key]) _keys.remove(bytes32(key));
            else _keys.insert(bytes32(key));
            _present[key] = !_present[key];
        }
        _assertPresent(true);
    }

    function testFuzz_DroppingLeavesTheOthers(uint256 seed) external {
        for (uint256 key = 0; key < 32; ++key) {
            _keys.insert(bytes32(key));
            _present[key] = true;
        }
        for (uint256 step = 0; step < 20; ++step) {
            uint256 key = uint256(keccak256(abi.encode(seed, step))) % 32;
            if (!_present[key]) continue;
            _keys.drop(bytes32(key));
            _present[key] = false;
        }
        _assertPresent(false);
    }

    function test_WhatIsNotThereIsNotFound() external {
        _keys.insert(bytes32(uint256(1)));
        vm.expectRevert(abi.encodeWithSelector(SortedKeys.KeyNotFound.selector, bytes32(uint256(2))));
        this.remove(bytes32(uint256(2)));
        vm.expectRevert(abi.encodeWithSelector(SortedKeys.KeyNotFound.selector, bytes32(uint256(2))));
        this.drop(bytes32(uint256(2)));
    }

    function remove(bytes32 key) external {
        _keys.remove(key);
    }

    function drop(bytes32 key) external {
        _keys.drop(key);
    }

    function _assertPresent(bool ascending) private view {
        uint256 count = 0;
        for (uint256 key = 0; key < 32; ++key) {
            if (!_present[key]) continue;
            ++count;
            vm.assertEq(_keys[_keys.indexOf(bytes32(key))], bytes32(key), "present");
        }
        vm.assertEq(_keys.length, count, "and nothing else");
        for (uint256 i = 1; ascending && i < count; ++i) {
            vm.assertTrue(_keys[i - 1] < _keys[i], "ascending");
        }
    }
}
