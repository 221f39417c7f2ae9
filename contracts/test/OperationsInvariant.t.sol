// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IOperations} from "../src/interfaces/IOperations.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {Counter, OperationTest} from "./base/OperationTest.sol";
import {Test} from "./base/Test.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title OperationsHandler
/// @notice What forge calls at random: three accounts sign operations that succeed, fail or burn their gas; relayers bring
/// them alone and together, again and again, with little gas and late. The model of a key is whether it ran, and how.
contract OperationsHandler is OperationTest {
    uint256 private constant _ACCOUNTS = 3;
    uint256 private constant _KEYS = 12;

    mapping(uint256 account => mapping(uint256 key => IOperations.Operation operation)) private _wanted;

    constructor() {
        _foundOperations();
        for (uint256 i = 0; i < _ACCOUNTS; ++i) {
            _delegate(i + 1);
        }
    }

    /// @notice Chooses what a key is for, once; the same key of another account may be for something else.
    function want(uint256 account, uint256 key, uint256 kind, uint256 time, uint256 follows) external {
        (account, key) = (account % _ACCOUNTS, key % _KEYS);
        if (_wanted[account][key].key != 0) return;
        bytes memory data = abi.encodeCall(Counter.count, (_tag(account, key)));
        if (kind % 4 == 1) data = abi.encodeCall(Counter.refuse, ());
        if (kind % 4 == 2) data = abi.encodeCall(Counter.burn, (0));
        IOperations.Operation memory operation = _operation(bytes32(key + 1), data);
        operation.deadline = SafeCast.toUint64(vm.getBlockTimestamp() + time % 100);
        if (follows % 3 == 0 && follows % _KEYS != key) operation.follows = bytes32(follows % _KEYS + 1);
        _wanted[account][key] = operation;
    }

    /// @notice Brings some, in any order, some of them twice.
    function bring(uint256 seed, uint256 gas_) external {
        IOperations.Signed[] memory operations = new IOperations.Signed[](seed % 6);
        for (uint256 i = 0; i < operations.length; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            (uint256 account, uint256 key) = (draw % _ACCOUNTS, (draw >> 64) % _KEYS);
            if (_wanted[account][key].key == 0) return;
            operations[i] = _signed(account + 1, _wanted[account][key]);
        }
        // Out of gas is not the operations' end.
        try IOperations(SystemAddresses.OPERATIONS).relay{gas: 100_000 + gas_ % 1_000_000}(operations) {} catch {}
    }

    function pass(uint256 time) external {
        _pass(time % 40);
    }

    /// @notice Fails unless each key has one effect if it succeeded, and none if it did not.
    function checkEffects() external view {
        for (uint256 account = 0; account < _ACCOUNTS; ++account) {
            uint256 succeeded = 0;
            for (uint256 key = 0; key < _KEYS; ++key) {
                (IOperations.Status status,) = IOperations(vm.addr(account + 1)).statusOf(bytes32(key + 1));
                vm.assertTrue(status != IOperations.Status.Running, "nothing stays half done");
                uint256 effects = counter.countOfTag(_tag(account, key));
                vm.assertEq(effects, status == IOperations.Status.Succeeded ? 1 : 0, "exactly once");
                if (status == IOperations.Status.Succeeded) ++succeeded;
                bytes32 follows = _wanted[account][key].follows;
                if (status == IOperations.Status.None || follows == 0) continue;
                (IOperations.Status first,) = IOperations(vm.addr(account + 1)).statusOf(follows);
                vm.assertTrue(first >= IOperations.Status.Succeeded, "in order");
            }
            vm.assertEq(counter.countOf(vm.addr(account + 1)), succeeded, "by the account itself");
        }
    }

    function _tag(uint256 account, uint256 key) private pure returns (bytes32) {
        return keccak256(abi.encode(account, key));
    }
}

/// @title OperationsInvariantTest
contract OperationsInvariantTest is Test {
    OperationsHandler private _handler;

    function setUp() external {
        _handler = new OperationsHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_EffectsAreKeysThatSucceeded() external view {
        _handler.checkEffects();
    }
}
