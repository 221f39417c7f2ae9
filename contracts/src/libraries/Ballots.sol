// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../interfaces/IBallots.sol";
import {IMembers} from "../interfaces/IMembers.sol";
import {SystemAddresses} from "./SystemAddresses.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Ballots
/// @notice See `IBallots`.
library Ballots {
    using SafeCast for uint256;

    IMembers private constant _MEMBERS = IMembers(SystemAddresses.MEMBERS);

    /// @notice A ballot in storage: one slot, and one for the choices.
    struct Ballot {
        IBallots.Tally tally;
        mapping(bytes32 organization => IBallots.Choice) choices;
    }

    /// @notice The organization an account votes for.
    function voterOf(address account) internal view returns (bytes32 organization) {
        if (!_MEMBERS.may(account, IMembers.Permission.Administer)) revert IBallots.NotVoter(account);
        return _MEMBERS.organizationOf(account);
    }

    /// @notice The height a ballot that opens now looks back to.
    function snapshot() internal view returns (uint48 height) {
        return (block.number - 1).toUint48();
    }

    /// @notice How many organizations had a vote at a height.
    function electorateAt(uint256 height) internal view returns (uint256 count) {
        return _MEMBERS.activeAt(height);
    }

    function open(Ballot storage ballot, uint256 period, uint256 electorate, uint256 required) internal {
        ballot.tally = IBallots.Tally({
            snapshot: snapshot(),
            closes: (block.timestamp + period).toUint48(),
            electorate: electorate.toUint16(),
            required: required.toUint16(),
            approvals: 0,
            rejections: 0
        });
    }

    /// @notice Casts the vote of an organization that `voterOf` answered with.
    function cast(Ballot storage ballot, bytes32 organization, IBallots.Choice choice) internal {
        if (outcome(ballot) != IBallots.Outcome.Open) revert IBallots.BallotNotOpen();
        if (choice == IBallots.Choice.None) revert IBallots.NoChoice();
        if (!_MEMBERS.wasActive(organization, ballot.tally.snapshot)) revert IBallots.NotEligible(organization);
        if (ballot.choices[organization] != IBallots.Choice.None) revert IBallots.AlreadyVoted(organization);

        ballot.choices[organization] = choice;
        if (choice == IBallots.Choice.Approve) ++ballot.tally.approvals;
        else ++ballot.tally.rejections;
    }

    function outcome(Ballot storage ballot) internal view returns (IBallots.Outcome decided) {
        IBallots.Tally memory tally = ballot.tally;
        if (tally.approvals >= tally.required) return IBallots.Outcome.Approved;
        if (tally.electorate - tally.rejections < tally.required) return IBallots.Outcome.Rejected;
        if (block.timestamp >= tally.closes) return IBallots.Outcome.Lapsed;
        return IBallots.Outcome.Open;
    }
}
