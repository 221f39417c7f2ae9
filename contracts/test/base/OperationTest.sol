// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IOperations} from "../../src/interfaces/IOperations.sol";
import {SystemAddresses} from "../../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./SystemTest.sol";

/// @title Counter
/// @notice A contract as applications have it: it knows who calls, and nothing of operations.
contract Counter {
    mapping(address caller => uint256 count) public countOf;
    mapping(bytes32 tag => uint256 count) public countOfTag;
    uint256 public received;

    error Unwelcome(address caller);

    function count(bytes32 tag) external payable returns (uint256 now_) {
        ++countOfTag[tag];
        received += msg.value;
        return ++countOf[msg.sender];
    }

    function refuse() external view {
        revert Unwelcome(msg.sender);
    }

    /// @dev Takes all gas but what `count` takes, if that is more.
    function burn(uint256 left) external {
        ++countOf[msg.sender];
        while (gasleft() > left) {}
    }

    /// @dev Needs this much gas, and nearly all of it.
    function need(uint256 amount, bytes32 tag) external {
        uint256 begin = gasleft();
        while (begin - gasleft() < amount) {}
        ++countOfTag[tag];
    }

    function shout(uint256 size, bool succeed) external pure {
        assembly {
            mstore(0x40, 0)
            if succeed { return(0, size) }
            revert(0, size)
        }
    }

    /// @dev Brings the operation that it is called by once more.
    function again(address account, IOperations.Operation calldata operation, bytes calldata signature)
        external
        returns (IOperations.Status status)
    {
        ++countOf[msg.sender];
        return IOperations(account).execute(operation, signature);
    }
}

/// @title OperationTest
/// @notice Base of tests of `Operations`: accounts with keys and its code, and operations that they sign.
abstract contract OperationTest is SystemTest {
    uint256 internal constant KEY = 0xA11CE;
    Counter internal counter;

    function _foundOperations() internal {
        _found(1, true);
        counter = new Counter();
        _delegate(KEY);
    }

    /// @dev What an authorization of EIP-7702 does.
    function _delegate(uint256 key) internal returns (address account) {
        account = vm.addr(key);
        vm.etch(account, abi.encodePacked(hex"ef0100", SystemAddresses.OPERATIONS));
    }

    function _operation(bytes32 key, bytes memory data) internal view returns (IOperations.Operation memory operation) {
        return IOperations.Operation({
            key: key,
            target: address(counter),
            value: 0,
            data: data,
            gas: 100_000,
            deadline: uint64(vm.getBlockTimestamp()),
            follows: 0
        });
    }

    function _count(bytes32 key) internal view returns (IOperations.Operation memory operation) {
        return _operation(key, abi.encodeCall(Counter.count, (key)));
    }

    /// @dev The digest, computed a second way.
    function _digest(address account, IOperations.Operation memory operation) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Ashlar Operations"),
                keccak256("1"),
                block.chainid,
                account
            )
        );
        bytes memory members = bytes.concat(
            keccak256(
                "Operation(bytes32 key,address target,uint256 value,bytes data,uint64 gas,uint64 deadline,bytes32 follows)"
            ),
            operation.key,
            bytes32(uint256(uint160(operation.target))),
            bytes32(operation.value),
            keccak256(operation.data),
            bytes32(uint256(operation.gas)),
            bytes32(uint256(operation.deadline)),
            operation.follows
        );
        return keccak256(bytes.concat(hex"1901", domain, keccak256(members)));
    }

    function _sign(uint256 key, IOperations.Operation memory operation) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(vm.addr(key), operation));
        return abi.encodePacked(r, s, v);
    }

    function _signed(uint256 key, IOperations.Operation memory operation)
        internal
        view
        returns (IOperations.Signed memory)
    {
        return IOperations.Signed(vm.addr(key), operation, _sign(key, operation));
    }

    /// @dev Brings one operation, as a relayer without a name.
    function _bring(IOperations.Operation memory operation) internal returns (IOperations.Status) {
        return IOperations(vm.addr(KEY)).execute(operation, _sign(KEY, operation));
    }

    function _expectRefusal(IOperations.Operation memory operation, bytes memory reason) internal {
        bytes memory signature = _sign(KEY, operation);
        vm.expectRevert(reason);
        IOperations(vm.addr(KEY)).execute(operation, signature);
    }

    function _statusOf(bytes32 key) internal view returns (IOperations.Status status) {
        (status,) = IOperations(vm.addr(KEY)).statusOf(key);
    }
}
