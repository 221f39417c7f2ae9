// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IBallots} from "./IBallots.sol";

/// @title Disputes
/// @notice A public file for quarrels about what is on the chain. One organization claims something against another about a
/// record or a transaction; the other answers; the rest vote; who is found at fault compensates by a new transaction.
/// Nothing is ever rewritten: the file says what was claimed, ruled and made good, and the record stands.
///
/// Phases, each with its end, all fixed when the claim is made:
///
/// 1. *answer*: the respondent has `AnswerPeriod`; its answer begins the vote at once, its silence at the end;
/// 2. *vote*: `VotingPeriod`. Organizations that were active when the claim was made vote, without the two parties. More
///    than half of them uphold a claim; as soon as that cannot be reached any more it is dismissed; without either by the
///    end it stays undecided;
/// 3. *compensation*: the respondent of an upheld claim has `CompensationPeriod` to name the transaction that makes good.
///    It may do so later too, and the file says that it was late.
///
/// Evidence and answers are hashes; the documents are exchanged off the chain.
///
/// System contract at `0x4153484c41520000000000000000000000000007`, present at genesis.
interface IDisputes is IBallots {
    /// @notice What a claim is about.
    enum Kind {
        /// A record, by its id.
        Record,
        /// A transaction, by its hash.
        Transaction
    }

    /// @notice Where a dispute stands.
    enum State {
        /// There is none with this number.
        None,
        /// The respondent may answer.
        Answering,
        /// The others vote.
        Voting,
        /// The claimant withdrew.
        Withdrawn,
        /// Not upheld, and it cannot be any more.
        Dismissed,
        /// The vote ended without a ruling.
        Undecided,
        /// Upheld; the respondent should compensate.
        Upheld,
        /// Upheld, not compensated in time.
        Overdue,
        /// Upheld and compensated.
        Compensated
    }

    /// @notice A dispute.
    /// @param claimant The organization that claims.
    /// @param respondent The organization it claims against.
    /// @param subject The id of a record or the hash of a transaction.
    /// @param evidence The hash of the evidence for the claim.
    /// @param answer The hash of the answer; 0 until there is one.
    /// @param compensation The hash of the transaction that makes good; 0 until there is one.
    /// @param kind What `subject` is.
    /// @param withdrawn Whether the claimant withdrew.
    /// @param votingFrom The second in which the vote begins.
    /// @param votingPeriod Seconds to vote.
    /// @param compensationPeriod Seconds to compensate.
    /// @param compensationEnds The second from which on compensation is late; 0 until the claim is upheld.
    struct Dispute {
        bytes32 claimant;
        bytes32 respondent;
        bytes32 subject;
        bytes32 evidence;
        bytes32 answer;
        bytes32 compensation;
        Kind kind;
        bool withdrawn;
        uint48 votingFrom;
        uint32 votingPeriod;
        uint32 compensationPeriod;
        uint48 compensationEnds;
    }

    /// @notice A claim was made.
    /// @param dispute Its number, from 1.
    /// @param claimant The organization that claims.
    /// @param respondent The organization it claims against.
    /// @param kind What the subject is.
    /// @param subject What the claim is about.
    /// @param evidence The hash of the evidence.
    /// @param answerEnds The second from which on an answer is too late.
    /// @param tally Who may vote, and until when if no answer comes.
    event Claimed(
        uint256 indexed dispute,
        bytes32 indexed claimant,
        bytes32 indexed respondent,
        Kind kind,
        bytes32 subject,
        bytes32 evidence,
        uint256 answerEnds,
        Tally tally
    );

    /// @notice A party added evidence.
    /// @param dispute The dispute.
    /// @param organization Which party.
    /// @param evidence The hash of the evidence.
    event EvidenceAdded(uint256 indexed dispute, bytes32 indexed organization, bytes32 evidence);

    /// @notice The respondent answered and the vote is open.
    /// @param dispute The dispute.
    /// @param answer The hash of the answer.
    /// @param votingEnds The second from which on nobody votes.
    event Answered(uint256 indexed dispute, bytes32 answer, uint256 votingEnds);

    /// @notice An organization voted.
    /// @param dispute The dispute.
    /// @param organization The organization.
    /// @param choice Approve: uphold the claim.
    event Voted(uint256 indexed dispute, bytes32 indexed organization, Choice choice);

    /// @notice The vote is decided.
    /// @param dispute The dispute.
    /// @param upheld Whether the claim is upheld, or dismissed.
    /// @param compensationEnds If it is upheld, the second from which on compensation is late; else 0.
    event Ruled(uint256 indexed dispute, bool upheld, uint256 compensationEnds);

    /// @notice The respondent named the transaction that makes good. The chain does not judge whether it does.
    /// @param dispute The dispute.
    /// @param transaction The hash of that transaction.
    /// @param late Whether the time was over.
    event Compensated(uint256 indexed dispute, bytes32 indexed transaction, bool late);

    /// @notice The claimant withdrew.
    /// @param dispute The dispute.
    event Withdrawn(uint256 indexed dispute);

    /// @notice One does not claim against oneself, or against who is not a member.
    /// @param respondent Whom the claim was against.
    error InvalidRespondent(bytes32 respondent);

    /// @notice There is no record with this id; zero is no transaction.
    /// @param subject What the claim was about.
    error UnknownSubject(bytes32 subject);

    /// @notice Zero means "nothing".
    error ZeroHash();

    /// @notice Nobody but the parties could vote.
    error NoJudges();

    /// @notice The dispute is not in the state this needs.
    /// @param dispute Its number.
    /// @param state Where it stands.
    error WrongState(uint256 dispute, State state);

    /// @notice That is for another organization to do.
    /// @param dispute The dispute.
    /// @param organization Who tried.
    error NotParty(uint256 dispute, bytes32 organization);

    /// @notice Claims in the name of the sender's organization.
    /// @param respondent The organization to claim against.
    /// @param kind What the subject is.
    /// @param subject The id of a record that exists, or the hash of a transaction.
    /// @param evidence The hash of the evidence.
    /// @return dispute Its number.
    function claim(bytes32 respondent, Kind kind, bytes32 subject, bytes32 evidence) external returns (uint256 dispute);

    /// @notice Adds evidence in the name of a party, until the dispute is over.
    /// @param dispute The dispute.
    /// @param evidence The hash of the evidence.
    function addEvidence(uint256 dispute, bytes32 evidence) external;

    /// @notice Answers in the name of the respondent; the vote begins.
    /// @param dispute The dispute.
    /// @param answer_ The hash of the answer.
    function answer(uint256 dispute, bytes32 answer_) external;

    /// @notice Votes in the name of the sender's organization, which is no party.
    /// @param dispute The dispute.
    /// @param choice Approve: uphold the claim.
    function vote(uint256 dispute, Choice choice) external;

    /// @notice Withdraws a claim of the sender's organization, until the dispute is over.
    /// @param dispute The dispute.
    function withdraw(uint256 dispute) external;

    /// @notice Names the transaction by which the respondent makes good, once.
    /// @param dispute The dispute.
    /// @param transaction Its hash.
    function compensate(uint256 dispute, bytes32 transaction) external;

    /// @notice Where a dispute stands.
    /// @param dispute Its number.
    function stateOf(uint256 dispute) external view returns (State state);

    /// @notice A dispute.
    /// @param dispute Its number.
    function disputeAt(uint256 dispute) external view returns (Dispute memory found);

    /// @notice The count of a dispute's vote.
    /// @param dispute Its number.
    function tallyOf(uint256 dispute) external view returns (Tally memory tally);

    /// @notice What an organization voted.
    /// @param dispute Its number.
    /// @param organization The organization's id.
    function choiceOf(uint256 dispute, bytes32 organization) external view returns (Choice choice);

    /// @notice How many claims were ever made.
    function disputes() external view returns (uint256 count);
}
