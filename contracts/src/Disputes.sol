// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDisputes} from "./interfaces/IDisputes.sol";
import {IMembers} from "./interfaces/IMembers.sol";
import {IParameters} from "./interfaces/IParameters.sol";
import {IRecords} from "./interfaces/IRecords.sol";
import {Ballots} from "./libraries/Ballots.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {SystemAddresses} from "./libraries/SystemAddresses.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Disputes
/// @notice See `IDisputes`.
///
/// @dev A system contract, see `Records` for what that means. Genesis writes nothing here.
///
/// | slot | content                                                              |
/// | ---- | -------------------------------------------------------------------- |
/// | 0    | `_disputeCount`                                                      |
/// | 1    | `_disputes`: at `keccak256(number ‖ 1)` the seven slots of `Dispute` |
/// | 2    | `_ballots`: at `keccak256(number ‖ 2)` the `Tally`                   |
contract Disputes is IDisputes {
    using Ballots for Ballots.Ballot;
    using SafeCast for uint256;

    IMembers private constant _MEMBERS = IMembers(SystemAddresses.MEMBERS);
    IParameters private constant _PARAMETERS = IParameters(SystemAddresses.PARAMETERS);
    IRecords private constant _RECORDS = IRecords(SystemAddresses.RECORDS);

    uint256 private _disputeCount;
    mapping(uint256 dispute => Dispute) private _disputes;
    mapping(uint256 dispute => Ballots.Ballot) private _ballots;

    // ---------------------------------------------------------------------------------------------------------------
    // The parties
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputes
    function claim(bytes32 respondent, Kind kind, bytes32 subject, bytes32 evidence)
        external
        returns (uint256 dispute)
    {
        bytes32 claimant = Ballots.voterOf(msg.sender);
        _requireClaim(claimant, respondent, kind, subject);
        if (evidence == 0) revert ZeroHash();

        uint256 answerEnds = block.timestamp + _PARAMETERS.valueOf(IParameters.Parameter.AnswerPeriod);
        uint256 votingPeriod = _PARAMETERS.valueOf(IParameters.Parameter.VotingPeriod);

        dispute = ++_disputeCount;
        Dispute storage made = _disputes[dispute];
        made.claimant = claimant;
        made.respondent = respondent;
        made.kind = kind;
        made.subject = subject;
        made.evidence = evidence;
        made.votingFrom = answerEnds.toUint48();
        made.votingPeriod = votingPeriod.toUint32();
        made.compensationPeriod = _PARAMETERS.valueOf(IParameters.Parameter.CompensationPeriod).toUint32();

        uint256 judges = _judges(claimant, respondent);
        if (judges == 0) revert NoJudges();
        _ballots[dispute].open(answerEnds - block.timestamp + votingPeriod, judges, Quorum.majority(judges));
        emit Claimed(dispute, claimant, respondent, kind, subject, evidence, answerEnds, _ballots[dispute].tally);
    }

    /// @inheritdoc IDisputes
    function addEvidence(uint256 dispute, bytes32 evidence) external {
        _requirePending(dispute);
        bytes32 organization = Ballots.voterOf(msg.sender);
        if (!_isParty(_disputes[dispute], organization)) revert NotParty(dispute, organization);
        if (evidence == 0) revert ZeroHash();
        emit EvidenceAdded(dispute, organization, evidence);
    }

    /// @inheritdoc IDisputes
    function answer(uint256 dispute, bytes32 answer_) external {
        _require(dispute, State.Answering);
        Dispute storage found = _disputes[dispute];
        _requireOrganization(dispute, found.respondent);
        if (answer_ == 0) revert ZeroHash();

        uint256 votingEnds = block.timestamp + found.votingPeriod;
        found.answer = answer_;
        found.votingFrom = block.timestamp.toUint48();
        _ballots[dispute].tally.closes = votingEnds.toUint48();
        emit Answered(dispute, answer_, votingEnds);
    }

    /// @inheritdoc IDisputes
    function withdraw(uint256 dispute) external {
        _requirePending(dispute);
        Dispute storage found = _disputes[dispute];
        _requireOrganization(dispute, found.claimant);
        found.withdrawn = true;
        emit Withdrawn(dispute);
    }

    /// @inheritdoc IDisputes
    function compensate(uint256 dispute, bytes32 transaction) external {
        State state = stateOf(dispute);
        if (state != State.Upheld && state != State.Overdue) revert WrongState(dispute, state);
        Dispute storage found = _disputes[dispute];
        _requireOrganization(dispute, found.respondent);
        if (transaction == 0) revert ZeroHash();
        found.compensation = transaction;
        emit Compensated(dispute, transaction, state == State.Overdue);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // The others
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputes
    function vote(uint256 dispute, Choice choice) external {
        _require(dispute, State.Voting);
        bytes32 organization = Ballots.voterOf(msg.sender);
        Dispute storage found = _disputes[dispute];
        if (_isParty(found, organization)) revert NotEligible(organization);

        Ballots.Ballot storage ballot = _ballots[dispute];
        ballot.cast(organization, choice);
        emit Voted(dispute, organization, choice);

        Outcome outcome = ballot.outcome();
        if (outcome == Outcome.Rejected) emit Ruled(dispute, false, 0);
        if (outcome == Outcome.Approved) {
            uint256 compensationEnds = block.timestamp + found.compensationPeriod;
            found.compensationEnds = compensationEnds.toUint48();
            emit Ruled(dispute, true, compensationEnds);
        }
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Views
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputes
    function stateOf(uint256 dispute) public view returns (State state) {
        Dispute storage found = _disputes[dispute];
        if (found.claimant == 0) return State.None;
        if (found.withdrawn) return State.Withdrawn;
        if (found.compensation != 0) return State.Compensated;
        if (block.timestamp < found.votingFrom) return State.Answering;

        Outcome outcome = _ballots[dispute].outcome();
        if (outcome == Outcome.Open) return State.Voting;
        if (outcome == Outcome.Rejected) return State.Dismissed;
        if (outcome == Outcome.Lapsed) return State.Undecided;
        return block.timestamp < found.compensationEnds ? State.Upheld : State.Overdue;
    }

    /// @inheritdoc IDisputes
    function disputeAt(uint256 dispute) external view returns (Dispute memory found) {
        return _disputes[dispute];
    }

    /// @inheritdoc IDisputes
    function tallyOf(uint256 dispute) external view returns (Tally memory tally) {
        return _ballots[dispute].tally;
    }

    /// @inheritdoc IDisputes
    function choiceOf(uint256 dispute, bytes32 organization) external view returns (Choice choice) {
        return _ballots[dispute].choices[organization];
    }

    /// @inheritdoc IDisputes
    function disputes() external view returns (uint256 count) {
        return _disputeCount;
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Conditions
    // ---------------------------------------------------------------------------------------------------------------

    function _requireClaim(bytes32 claimant, bytes32 respondent, Kind kind, bytes32 subject) private view {
        IMembers.Status status = _MEMBERS.organizationAt(respondent).status;
        bool stands = status == IMembers.Status.Active || status == IMembers.Status.Suspended;
        if (!stands || respondent == claimant) revert InvalidRespondent(respondent);
        bool known = kind == Kind.Record ? _RECORDS.commitmentOf(subject) != 0 : subject != 0;
        if (!known) revert UnknownSubject(subject);
    }

    /// @dev How many organizations can vote: all that were active, without the parties.
    function _judges(bytes32 claimant, bytes32 respondent) private view returns (uint256 count) {
        uint256 height = Ballots.snapshot();
        count = Ballots.electorateAt(height);
        if (_MEMBERS.wasActive(claimant, height)) --count;
        if (_MEMBERS.wasActive(respondent, height)) --count;
    }

    function _isParty(Dispute storage found, bytes32 organization) private view returns (bool) {
        return organization == found.claimant || organization == found.respondent;
    }

    function _require(uint256 dispute, State wanted) private view {
        State state = stateOf(dispute);
        if (state != wanted) revert WrongState(dispute, state);
    }

    function _requirePending(uint256 dispute) private view {
        State state = stateOf(dispute);
        if (state != State.Answering && state != State.Voting) revert WrongState(dispute, state);
    }

    function _requireOrganization(uint256 dispute, bytes32 wanted) private view {
        bytes32 organization = Ballots.voterOf(msg.sender);
        if (organization != wanted) revert NotParty(dispute, organization);
    }
}
