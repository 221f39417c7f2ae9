// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOperations} from "./interfaces/IOperations.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ERC1155Holder} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Holder.sol";
import {ERC721Holder} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Holder.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Operations
/// @notice See `IOperations`.
///
/// @dev A system contract, see `Records` for what that means. Its own storage stays empty: what it writes stands in the
/// accounts that have its code, in a namespace (ERC-7201) that no other code of such an account touches:
///
/// | slot                                        | content                                                      |
/// | ------------------------------------------- | ------------------------------------------------------------ |
/// | `keccak256(key ‖ _NAMESPACE)`               | 31 bytes of the operation's call, then its `Status`; 0: none |
contract Operations is IOperations, ERC721Holder, ERC1155Holder {
    /// @dev keccak256(abi.encode(uint256(keccak256("ashlar.operations")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant _NAMESPACE = 0xc6dbb6fcb2c44e991e2b47715c5aa57b6fe8f0a7bc9a3427c410ad5c7eabe400;

    bytes32 private constant _DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _NAME = keccak256("Ashlar Operations");
    bytes32 private constant _VERSION = keccak256("1");
    bytes32 private constant _OPERATION = keccak256(
        "Operation(bytes32 key,address target,uint256 value,bytes data,uint64 gas,uint64 deadline,bytes32 follows)"
    );

    /// @dev What is kept back from the gas of a call: for the call itself (at most 36,600), the status and the event.
    uint256 private constant _GAS_BESIDE = 80_000;
    uint256 private constant _RESULT_MAX = 1024;

    /// @dev As an account without code: whatever is sent or called, it is taken.
    receive() external payable {}

    fallback() external payable {}

    /// @inheritdoc IOperations
    function execute(Operation calldata operation, bytes calldata signature) external returns (Status status) {
        if (!_isSigned(digestOf(operation), signature)) revert InvalidSignature();
        bytes32 key = operation.key;
        if (key == 0) revert ZeroKey();

        bytes32 call = callOf(operation);
        bytes32 known;
        (status, known) = statusOf(key);
        if (status != Status.None) {
            if (known != _shortened(call)) revert KeyTaken(key, status);
            emit Repeated(key, status);
            return status;
        }
        if (block.timestamp > operation.deadline) revert Expired(operation.deadline);
        _requireEnded(operation.follows);

        _set(key, call, Status.Running);
        (bool succeeded, bytes memory result) = _call(operation);
        status = succeeded ? Status.Succeeded : Status.Failed;
        _set(key, call, status);
        emit Executed(key, call, succeeded, result);
    }

    /// @inheritdoc IOperations
    function relay(Signed[] calldata operations) external {
        bytes32 code = keccak256(abi.encodePacked(hex"ef0100", address(this)));
        for (uint256 i = 0; i < operations.length; ++i) {
            Signed calldata signed = operations[i];
            // Only this code is known to leave gas for the others.
            if (signed.account.codehash != code) {
                bytes memory other = abi.encodeWithSelector(NotDelegated.selector, signed.account);
                emit Refused(signed.account, signed.operation.key, other);
                continue;
            }
            (bool done, bytes memory reason) =
                signed.account.call(abi.encodeCall(IOperations.execute, (signed.operation, signed.signature)));
            if (!done) emit Refused(signed.account, signed.operation.key, reason);
        }
    }

    /// @inheritdoc IOperations
    function deploy(bytes32 salt, bytes calldata code) external payable returns (address created) {
        if (msg.sender != address(this)) revert NotSelf();
        return Create2.deploy(msg.value, salt, code);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Views
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IOperations
    function statusOf(bytes32 key) public view returns (Status status, bytes32 call) {
        bytes32 slot = _slot(key);
        uint256 kept;
        assembly ("memory-safe") {
            kept := sload(slot)
        }
        return (Status(kept & 0xff), _shortened(bytes32(kept)));
    }

    /// @inheritdoc IOperations
    function callOf(Operation calldata operation) public pure returns (bytes32 call) {
        return keccak256(abi.encode(operation.target, operation.value, keccak256(operation.data)));
    }

    /// @inheritdoc IOperations
    function digestOf(Operation calldata operation) public view returns (bytes32 digest) {
        bytes32 domain = keccak256(abi.encode(_DOMAIN, _NAME, _VERSION, block.chainid, address(this)));
        bytes32 structHash = keccak256(
            abi.encode(
                _OPERATION,
                operation.key,
                operation.target,
                operation.value,
                keccak256(operation.data),
                operation.gas,
                operation.deadline,
                operation.follows
            )
        );
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @inheritdoc IOperations
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4 magic) {
        return _isSigned(hash, signature) ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    /// @dev Whether the key of this account signed: it has the account's address.
    function _isSigned(bytes32 hash, bytes calldata signature) private view returns (bool) {
        (address signer, ECDSA.RecoverError failure, bytes32 detail) = ECDSA.tryRecoverCalldata(hash, signature);
        return failure == ECDSA.RecoverError.NoError && detail == 0 && signer == address(this);
    }

    function _requireEnded(bytes32 key) private view {
        if (key == 0) return;
        (Status status,) = statusOf(key);
        if (status < Status.Succeeded) revert TooEarly(key);
    }

    /// @dev Calls the target with exactly the gas that was signed for, or reverts: whoever brings an operation cannot
    /// make it fail.
    function _call(Operation calldata operation) private returns (bool succeeded, bytes memory result) {
        address target = operation.target;
        if (operation.data.length > 0 && target.code.length == 0) {
            return (false, abi.encodeWithSelector(NoContract.selector, target));
        }
        (uint256 gas_, uint256 value) = (operation.gas, operation.value);
        bytes memory data = operation.data;
        // Of what is left a call gets 63 of 64 parts at most (EIP-150).
        uint256 wanted = gas_ + gas_ / 63 + _GAS_BESIDE;
        if (gasleft() < wanted) revert NotEnoughGas(wanted);

        assembly ("memory-safe") {
            succeeded := call(gas_, target, value, add(data, 0x20), mload(data), 0, 0)
            let size := returndatasize()
            if gt(size, _RESULT_MAX) { size := _RESULT_MAX }
            result := mload(0x40)
            mstore(result, size)
            returndatacopy(add(result, 0x20), 0, size)
            mstore(0x40, and(add(add(result, 0x3f), size), not(0x1f)))
        }
    }

    function _set(bytes32 key, bytes32 call, Status status) private {
        bytes32 slot = _slot(key);
        bytes32 kept = _shortened(call) | bytes32(uint256(status));
        assembly ("memory-safe") {
            sstore(slot, kept)
        }
    }

    function _slot(bytes32 key) private pure returns (bytes32 slot) {
        return keccak256(abi.encode(key, _NAMESPACE));
    }

    function _shortened(bytes32 call) private pure returns (bytes32) {
        return call & ~bytes32(uint256(0xff));
    }
}
