// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Quorum} from "../../src/libraries/Quorum.sol";
import {Test} from "../base/Test.sol";

/// @title QuorumTest
/// @notice All electorates there can be, against the words of `Quorum` in other arithmetic.
contract QuorumTest is Test {
    function test_CriticalIsMoreThanTwoThirdsAndToleratesTheFaultsOfConsensus() external pure {
        for (uint256 count = 1; count <= 128; ++count) {
            uint256 required = Quorum.critical(count);
            vm.assertTrue(required * 3 > count * 2, "more than two thirds");
            vm.assertTrue((required - 1) * 3 <= count * 2, "and no more than needed");
            vm.assertEq(required, count - (count - 1) / 3, "all but f");
        }
    }

    function test_MajorityIsMoreThanHalf() external pure {
        for (uint256 count = 1; count <= 128; ++count) {
            vm.assertTrue(Quorum.majority(count) * 2 > count, "more than half");
            vm.assertTrue((Quorum.majority(count) - 1) * 2 <= count, "and no more than needed");
        }
    }

    function testFuzz_OrdinaryIsBetweenThem(uint256 count, uint256 threshold) external pure {
        count = 1 + count % 128;
        threshold %= 20_000;
        uint256 required = Quorum.ordinary(count, threshold);
        vm.assertTrue(required >= Quorum.majority(count), "a strict majority at least");
        vm.assertTrue(required <= Quorum.critical(count), "never harder than membership");
        vm.assertTrue(
            required * 10_000 >= count * threshold || required == Quorum.critical(count), "the share that was asked for"
        );
    }
}
