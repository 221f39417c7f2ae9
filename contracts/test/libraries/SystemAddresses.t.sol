// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {SystemAddresses} from "../../src/libraries/SystemAddresses.sol";
import {Test} from "../base/Test.sol";

/// @title SystemAddressesTest
contract SystemAddressesTest is Test {
    function test_AddressesAreTheNameAndANumber() external pure {
        address[10] memory all = [
            SystemAddresses.RECORDS,
            SystemAddresses.MEMBERS,
            SystemAddresses.GOVERNANCE,
            SystemAddresses.PARAMETERS,
            SystemAddresses.UPGRADES,
            SystemAddresses.PAUSE,
            SystemAddresses.DISPUTES,
            SystemAddresses.STAKE,
            SystemAddresses.SUCCESSION,
            SystemAddresses.OPERATIONS
        ];
        for (uint8 i = 0; i < 10; ++i) {
            vm.assertEq(abi.encodePacked(all[i]), abi.encodePacked("ASHLAR", bytes13(0), i + 1), "address");
            vm.assertTrue(SystemAddresses.isSystem(all[i]), "kept");
            vm.assertTrue(SystemAddresses.isGoverning(all[i]) == (i != 0 && i != 9), "all but two govern");
        }
    }

    function test_TheRangeHas65536Addresses() external pure {
        uint160 first = uint160(SystemAddresses.RECORDS) - 1;
        vm.assertTrue(SystemAddresses.isSystem(address(first)), "the first");
        vm.assertTrue(SystemAddresses.isSystem(address(first + 65_535)), "the last");
        vm.assertTrue(!SystemAddresses.isSystem(address(first - 1)), "before");
        vm.assertTrue(!SystemAddresses.isSystem(address(first + 65_536)), "behind");
        vm.assertTrue(!SystemAddresses.isSystem(address(0)), "zero");
    }
}
