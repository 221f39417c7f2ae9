// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title Stake
/// @notice Validators of an open network: who bonds most, validates. Only a network whose genesis chose the policy `Bonded`
/// takes bonds (see `IMembers.Policy`).
///
/// A *candidate* is a node key with a bond of its owner, at least `StakeMinimum`. The node takes, at the end of an epoch,
/// the `StakeValidators` candidates with the highest bonds, the lower key first among equals, as it takes the list of
/// `Members` in a permissioned network. A bond weighs nothing beyond that: validators are equal.
///
/// What is unbonded is held for `UnbondingPeriod` and can then be withdrawn. An owner has one such sum: unbonding again
/// adds to it and begins its period anew.
///
/// There are at most 128 candidates. When that many are there, a higher bond takes the place of the lowest, which is then
/// unbonded for its owner. The last four (in a dev network: the last one) cannot leave.
///
/// System contract at `0x4153484c41520000000000000000000000000008`, present at genesis.
interface IStake {
    /// @notice A candidate.
    /// @param key The node's ed25519 public key.
    /// @param owner Whose bond it is.
    /// @param bond Wei.
    struct Candidate {
        bytes32 key;
        address owner;
        uint256 bond;
    }

    /// @notice What an owner has unbonded and not withdrawn.
    /// @param amount Wei.
    /// @param releasedAt The second from which on it can be withdrawn.
    struct Unbonding {
        uint256 amount;
        uint256 releasedAt;
    }

    /// @notice A bond grew, or a candidate appeared.
    /// @param key The candidate.
    /// @param owner Whose bond it is.
    /// @param amount Wei that were added.
    /// @param bond Wei there are now.
    event Bonded(bytes32 indexed key, address indexed owner, uint256 amount, uint256 bond);

    /// @notice A bond shrank; at 0 the candidate is gone.
    /// @param key The candidate.
    /// @param owner Whose bond it was.
    /// @param amount Wei that were taken.
    /// @param bond Wei that are left.
    /// @param releasedAt The second from which on the owner's unbonded wei can be withdrawn.
    event Unbonded(bytes32 indexed key, address indexed owner, uint256 amount, uint256 bond, uint256 releasedAt);

    /// @notice An owner withdrew what it had unbonded.
    /// @param owner The owner.
    /// @param amount Wei.
    event Withdrawn(address indexed owner, uint256 amount);

    /// @notice Validators of this network are chosen by its members.
    error NotBonded();

    /// @notice Zero is no key.
    error ZeroKey();

    /// @notice Zero changes nothing.
    error ZeroAmount();

    /// @notice There is no such candidate.
    /// @param key The key.
    error UnknownCandidate(bytes32 key);

    /// @notice The bond is another account's.
    /// @param key The candidate.
    /// @param account Who tried.
    error NotOwner(bytes32 key, address account);

    /// @notice The bond would be lower than it must be.
    /// @param bond What it would be.
    /// @param least What it must be at least.
    error BondTooLow(uint256 bond, uint256 least);

    /// @notice There is less than that.
    /// @param bond What there is.
    /// @param amount What was wanted.
    error NotEnough(uint256 bond, uint256 amount);

    /// @notice Too few candidates would be left to tolerate a fault.
    /// @param left How many would be left.
    /// @param floor How many there must be.
    error TooFewCandidates(uint256 left, uint256 floor);

    /// @notice The account has unbonded nothing.
    /// @param account Who tried.
    error NothingUnbonded(address account);

    /// @notice The period is not over.
    /// @param releasedAt When it is.
    error TooEarly(uint256 releasedAt);

    /// @notice The account does not take its money.
    /// @param account The account.
    error TransferFailed(address account);

    /// @notice Adds the value of the call to the bond of a candidate of the sender; makes one of a free key.
    /// @param key The node's ed25519 public key.
    function bond(bytes32 key) external payable;

    /// @notice Takes from the bond of a candidate of the sender: all of it, or so much that the minimum is left.
    /// @param key The candidate.
    /// @param amount Wei.
    function unbond(bytes32 key, uint256 amount) external;

    /// @notice Pays the sender what it has unbonded, once its period is over.
    function withdraw() external;

    /// @notice The candidates that validate, as things stand: those with the highest bonds, in that order.
    function validators() external view returns (bytes32[] memory keys);

    /// @notice All candidates, at most 128, in no particular order.
    function candidates() external view returns (Candidate[] memory all);

    /// @notice A candidate; all zero when there is none.
    /// @param key Its key.
    function candidateAt(bytes32 key) external view returns (Candidate memory found);

    /// @notice What an account has unbonded and not withdrawn.
    /// @param account The account.
    function unbondingOf(address account) external view returns (Unbonding memory found);

    /// @notice Wei in bonds, and wei unbonded and not withdrawn; together what this contract holds.
    function totals() external view returns (uint256 bonded, uint256 unbonding);
}
