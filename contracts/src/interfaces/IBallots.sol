// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title Ballots
/// @notice What all votes have in common. Organizations vote, one vote each, by any of their administrators. Those have a
/// vote that were active at the end of the block before the ballot opened, and still are when they cast it. A ballot is
/// decided as soon as nothing can change its outcome; without a decision it lapses when it closes.
interface IBallots {
    /// @notice What an organization may say.
    enum Choice {
        None,
        Approve,
        Reject
    }

    /// @notice Where a ballot stands.
    enum Outcome {
        Open,
        Approved,
        Rejected,
        Lapsed
    }

    /// @notice The count of a ballot.
    /// @param snapshot The height at whose end an organization must have been active.
    /// @param closes The second from which on nobody votes.
    /// @param electorate How many organizations have a vote.
    /// @param required How many must approve.
    /// @param approvals How many did.
    /// @param rejections How many rejected.
    struct Tally {
        uint48 snapshot;
        uint48 closes;
        uint16 electorate;
        uint16 required;
        uint16 approvals;
        uint16 rejections;
    }

    /// @notice The sender administers no active organization.
    /// @param account Who tried.
    error NotVoter(address account);

    /// @notice The organization had no vote at the snapshot, or is a party.
    /// @param organization Its id.
    error NotEligible(bytes32 organization);

    /// @notice The organization has voted.
    /// @param organization Its id.
    error AlreadyVoted(bytes32 organization);

    /// @notice The ballot is decided or closed.
    error BallotNotOpen();

    /// @notice One says yes or no.
    error NoChoice();
}
