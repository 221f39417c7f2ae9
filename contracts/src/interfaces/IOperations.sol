// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Operations
/// @notice Contract calls that happen at most once. An account whose code is this contract (EIP-7702) runs an operation
/// that its own key signed (EIP-712) whoever brings it, once for each key of an operation. The contract that is called
/// sees the account itself as its caller.
///
/// Who brings operations is a *relayer*: an account that pays gas and has nonces. It is not trusted: it cannot change an
/// operation, nor run it twice, nor make it fail by giving it little gas. So any number of relayers may bring the same
/// operation, any number of times, and it has one effect.
///
/// The life of a key, for ever:
///
/// - *None*: its operation may still run, until the deadline it was signed with;
/// - *Running*: within its own call;
/// - *Succeeded* or *Failed*: it ran. What it did when it failed is undone, and it does not run again: who wants to try
///   again takes another key.
///
/// To bring an operation that cannot run now changes nothing, and says why.
///
/// The account stays what it was: its key sends transactions as before, it receives ether and tokens as an account
/// without code does, and it can take another code, or none.
///
/// System contract at `0x4153484c4152000000000000000000000000000a`, present at genesis; on other networks it is deployed
/// as it is, at any address.
interface IOperations {
    /// @notice What became of a key.
    enum Status {
        None,
        Running,
        Succeeded,
        Failed
    }

    /// @notice A call that an account wants. Its EIP-712 type has the same name and members; the domain is "Ashlar
    /// Operations", version "1", the chain's id, and the account as verifying contract.
    /// @param key What makes it happen at most once, chosen by whoever signs.
    /// @param target The contract to call; the account itself, to `deploy`.
    /// @param value Wei to send with it, of the account.
    /// @param data What to call it with.
    /// @param gas What the call gets.
    /// @param deadline The last second in which it may run.
    /// @param follows The key of an operation of the account that must have ended before; 0 for none.
    struct Operation {
        bytes32 key;
        address target;
        uint256 value;
        bytes data;
        uint64 gas;
        uint64 deadline;
        bytes32 follows;
    }

    /// @notice An operation, and whose it is.
    /// @param account The account that signed.
    /// @param operation What it signed.
    /// @param signature 65 bytes: r, s (the lower of two), v.
    struct Signed {
        address account;
        Operation operation;
        bytes signature;
    }

    /// @notice An operation ran. Emitted by the account.
    /// @param key Its key.
    /// @param call What `callOf` says of it.
    /// @param succeeded Whether the call returned.
    /// @param result What it returned or reverted with, 1,024 bytes of it at most.
    event Executed(bytes32 indexed key, bytes32 indexed call, bool succeeded, bytes result);

    /// @notice An operation was brought that had run. Emitted by the account.
    /// @param key Its key.
    /// @param status What became of it.
    event Repeated(bytes32 indexed key, Status status);

    /// @notice An operation was brought that cannot run now; nothing happened. Emitted by whoever was asked to `relay`.
    /// @param account Whose it is.
    /// @param key Its key.
    /// @param reason The error, one of those below.
    event Refused(address indexed account, bytes32 indexed key, bytes reason);

    /// @notice The account's key did not sign this.
    error InvalidSignature();

    /// @notice The key belongs to another call.
    /// @param key The key.
    /// @param status What became of that one.
    error KeyTaken(bytes32 key, Status status);

    /// @notice Zero is no key.
    error ZeroKey();

    /// @notice It is too late.
    /// @param deadline The last second in which it might have run.
    error Expired(uint256 deadline);

    /// @notice What it follows has not ended.
    /// @param key The key of that.
    error TooEarly(bytes32 key);

    /// @notice Whoever brought it gave too little gas.
    /// @param wanted What is needed from here on.
    error NotEnoughGas(uint256 wanted);

    /// @notice The account has not this code.
    /// @param account The account.
    error NotDelegated(address account);

    /// @notice Only the account itself may do that.
    error NotSelf();

    /// @notice There is no code where there should be a contract.
    /// @param target The address.
    error NoContract(address target);

    /// @notice Runs an operation of this account, if its key has not run.
    /// @param operation The operation.
    /// @param signature The signature of the account's key.
    /// @return status What became of the key.
    function execute(Operation calldata operation, bytes calldata signature) external returns (Status status);

    /// @notice Brings operations of several accounts, one after the other. One that cannot run does not hold up the
    /// others.
    /// @param operations The operations.
    function relay(Signed[] calldata operations) external;

    /// @notice Creates a contract, as an operation whose target is the account itself (CREATE2, by the account).
    /// @param salt What tells apart contracts of the same code.
    /// @param code What creates it.
    /// @return created Its address.
    function deploy(bytes32 salt, bytes calldata code) external payable returns (address created);

    /// @notice What became of a key of this account, and which call it belongs to.
    /// @param key The key.
    /// @return status Its status.
    /// @return call The first 31 bytes of what `callOf` says of its operation, and a zero.
    function statusOf(bytes32 key) external view returns (Status status, bytes32 call);

    /// @notice What makes an operation another one under the same key: target, value and data; not its gas, deadline or
    /// predecessor.
    /// @param operation The operation.
    function callOf(Operation calldata operation) external pure returns (bytes32 call);

    /// @notice What the account's key signs.
    /// @param operation The operation.
    function digestOf(Operation calldata operation) external view returns (bytes32 digest);

    /// @notice ERC-1271: signatures of the account's key stay valid where contracts look at its code first.
    /// @param hash What was signed.
    /// @param signature The signature.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4 magic);
}
