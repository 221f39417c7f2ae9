// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Records} from "../src/Records.sol";
import {RecordsModel} from "./model/RecordsModel.sol";

/// @title RecordsGasTest
/// @notice What a whole transaction costs, intrinsic gas and calldata included, kept in `snapshots/Records.json`.
/// A change of that file is a change of what the network can do per block: look at it before committing it.
contract RecordsGasTest is RecordsModel {
    function setUp() external {
        records = new Records();
        // Entries 0 to 511 of `old` are claimed before the measured call.
        records.record(_words("old", 512), _words("commitment", 512));
    }

    /// forge-config: default.isolate = true
    function test_Gas_New001() external {
        _measure("001 new", _words("key", 1), _words("commitment", 1));
    }

    /// forge-config: default.isolate = true
    function test_Gas_New100() external {
        _measure("100 new", _words("key", 100), _words("commitment", 100));
    }

    /// forge-config: default.isolate = true
    function test_Gas_New512() external {
        uint256 gasUsed = _measure("512 new", _words("key", 512), _words("commitment", 512));
        vm.assertTrue(gasUsed < 16_777_216, "a full batch must fit the transaction gas cap of EIP-7825");
    }

    /// forge-config: default.isolate = true
    function test_Gas_Repeated512() external {
        _measure("512 repeated", _words("old", 512), _words("commitment", 512));
    }

    /// forge-config: default.isolate = true
    function test_Gas_Conflicting512() external {
        _measure("512 conflicting", _words("old", 512), _words("other", 512));
    }

    function _measure(string memory name, bytes32[] memory keys, bytes32[] memory commitments)
        private
        returns (uint256 gasUsed)
    {
        records.record(keys, commitments);
        return vm.snapshotGasLastCall("Records", name);
    }
}
