// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {RecordTree} from "../../src/libraries/RecordTree.sol";
import {Test} from "../base/Test.sol";
import {TreeModel} from "../model/TreeModel.sol";

/// @title RecordTreeTest
/// @notice The tree in place against the recursive one, and against the vectors other implementations use.
contract RecordTreeTest is Test {
    /// @dev Every size once, not a sample of them. A call of its own for each, since a call's memory only grows.
    function test_EverySizeAgreesWithTheModel() external view {
        for (uint256 size = 1; size <= 512; ++size) {
            this.checkSize(size);
        }
    }

    function checkSize(uint256 size) external pure {
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = keccak256(abi.encode(i));
        }
        _assertSameRoot(leaves, size);
    }

    function testFuzz_LeavesAgreeWithTheModel(bytes32 id, bytes32 commitment) external pure {
        vm.assertEq(RecordTree.leaf(id, commitment), TreeModel.leaf(id, commitment), "leaf");
    }

    /// @dev Also with spare entries behind `count`, which must not matter.
    function testFuzz_RootsAgreeWithTheModel(bytes32[] memory leaves, uint256 count) external pure {
        if (leaves.length == 0) return;
        _assertSameRoot(leaves, 1 + count % leaves.length);
    }

    /// @dev The assembly borrows memory beyond the free memory pointer; what is allocated afterwards must be clean.
    function testFuzz_MemoryStaysIntact(bytes32[] memory leaves, bytes memory neighbour) external pure {
        if (leaves.length == 0) return;
        bytes memory copy = bytes.concat(neighbour);
        RecordTree.consumeToRoot(leaves, leaves.length);
        RecordTree.leaf(bytes32(type(uint256).max), bytes32(type(uint256).max));
        bytes32[] memory fresh = new bytes32[](4);
        vm.assertEq(keccak256(abi.encodePacked(fresh)), keccak256(new bytes(128)), "fresh memory is zero");
        vm.assertEq(neighbour, copy, "earlier memory is untouched");
    }

    function test_CommittedVectors() external view {
        string memory vectors = vm.readFile("artifacts/records-vectors.json");
        vm.assertEq(RecordTree.LEAF_DOMAIN, vm.parseJsonBytes32(vectors, ".leaf_domain"), "leaf domain");
        vm.assertEq(RecordTree.NODE_DOMAIN, vm.parseJsonBytes32(vectors, ".node_domain"), "node domain");

        uint256 batch = 0;
        while (true) {
            string memory batchPath = string.concat(".batches[", vm.toString(batch), "]");
            if (!vm.keyExistsJson(vectors, batchPath)) break;
            _checkBatch(vectors, batchPath);
            ++batch;
        }
        vm.assertEq(batch, 7, "batches of 1, 2, 3, 5, 8, 13 and 512 records");
    }

    function _checkBatch(string memory vectors, string memory batchPath) private view {
        bytes32 organization = vm.parseJsonBytes32(vectors, string.concat(batchPath, ".organization"));
        bytes32[] memory keys = vm.parseJsonBytes32Array(vectors, string.concat(batchPath, ".keys"));
        bytes32[] memory commitments = vm.parseJsonBytes32Array(vectors, string.concat(batchPath, ".commitments"));
        bytes32[] memory ids = vm.parseJsonBytes32Array(vectors, string.concat(batchPath, ".ids"));
        bytes32[] memory leaves = vm.parseJsonBytes32Array(vectors, string.concat(batchPath, ".leaves"));
        bytes32 root = vm.parseJsonBytes32(vectors, string.concat(batchPath, ".root"));

        vm.assertEq(keys.length, leaves.length, "one key per leaf");
        for (uint256 i = 0; i < leaves.length; ++i) {
            vm.assertEq(keccak256(abi.encodePacked(organization, keys[i])), ids[i], "id");
            vm.assertEq(RecordTree.leaf(ids[i], commitments[i]), leaves[i], "leaf");
        }
        _checkPaths(vectors, batchPath, leaves, root);
        vm.assertEq(RecordTree.consumeToRoot(leaves, leaves.length), root, "root");
    }

    function _checkPaths(string memory vectors, string memory batchPath, bytes32[] memory leaves, bytes32 root)
        private
        view
    {
        uint256 path = 0;
        while (true) {
            string memory here = string.concat(batchPath, ".paths[", vm.toString(path), "]");
            if (!vm.keyExistsJson(vectors, here)) break;
            uint256 index = vm.parseJsonUint(vectors, string.concat(here, ".leaf_index"));
            bytes32[] memory siblings = vm.parseJsonBytes32Array(vectors, string.concat(here, ".siblings"));
            vm.assertEq(TreeModel.climb(leaves[index], index, leaves.length, siblings), root, "path leads to the root");
            ++path;
        }
        vm.assertTrue(path != 0, "a batch without paths");
    }

    function _assertSameRoot(bytes32[] memory leaves, uint256 count) private pure {
        bytes32[] memory copy = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            copy[i] = leaves[i];
        }
        vm.assertEq(RecordTree.consumeToRoot(copy, count), TreeModel.root(leaves, count), "root");
    }
}
