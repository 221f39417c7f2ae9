// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IBallots} from "../src/interfaces/IBallots.sol";
import {IDisputes} from "../src/interfaces/IDisputes.sol";
import {SystemAddresses} from "../src/libraries/SystemAddresses.sol";
import {SystemTest} from "./base/SystemTest.sol";

/// @title DisputesTest
/// @notice One rule of `IDisputes` per test. Six organizations: 0 claims against 1, the other four vote, three of them
/// uphold.
contract DisputesTest is SystemTest {
    bytes32 private constant _TRANSACTION = keccak256("transaction");
    bytes32 private constant _EVIDENCE = keccak256("evidence");
    bytes32 private constant _ANSWER = keccak256("answer");
    uint48 private constant _ANSWERING = 14 days;
    uint48 private constant _VOTING = 3 days;
    uint256 private constant _COMPENSATION = 30 days;

    function setUp() external {
        _found(6, false);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Claims
    // ---------------------------------------------------------------------------------------------------------------

    function test_ClaimFixesPartiesJudgesAndTimes() external {
        IBallots.Tally memory tally = IBallots.Tally(9, 1_000_000 + _ANSWERING + _VOTING, 4, 3, 0, 0);
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Claimed(
            1, _org(0), _org(1), IDisputes.Kind.Transaction, _TRANSACTION, _EVIDENCE, 1_000_000 + _ANSWERING, tally
        );
        vm.assertEq(_claim(), 1, "numbers from 1");
        IDisputes.Dispute memory made = disputes.disputeAt(1);
        vm.assertEq(made.claimant, _org(0), "claimant");
        vm.assertEq(made.respondent, _org(1), "respondent");
        vm.assertEq(made.subject, _TRANSACTION, "subject");
        vm.assertEq(made.evidence, _EVIDENCE, "evidence");
        vm.assertEq(abi.encode(disputes.tallyOf(1)), abi.encode(tally), "tally");
        vm.assertEq(disputes.disputes(), 1, "count");
        _assertState(IDisputes.State.Answering);
        vm.assertTrue(disputes.stateOf(2) == IDisputes.State.None, "no second one");
    }

    function test_ClaimAboutARecordNeedsTheRecord() external {
        bytes32[] memory words = new bytes32[](1);
        words[0] = keccak256("word");
        bytes32 id = registry.idOf(registry.organizationOf(_admin(1)), words[0]);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.UnknownSubject.selector, id));
        disputes.claim(_org(1), IDisputes.Kind.Record, id, _EVIDENCE);

        _asAdmin(1);
        registry.record(words, words);
        _asAdmin(0);
        disputes.claim(_org(1), IDisputes.Kind.Record, id, _EVIDENCE);
        vm.assertTrue(disputes.disputeAt(1).kind == IDisputes.Kind.Record, "about a record");
        vm.assertEq(registry.commitmentOf(id), words[0], "which stands as it was");
    }

    function test_MalformedClaimIsRefused() external {
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidRespondent.selector, _org(0)));
        disputes.claim(_org(0), IDisputes.Kind.Transaction, _TRANSACTION, _EVIDENCE);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidRespondent.selector, _org(9)));
        disputes.claim(_org(9), IDisputes.Kind.Transaction, _TRANSACTION, _EVIDENCE);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.UnknownSubject.selector, bytes32(0)));
        disputes.claim(_org(1), IDisputes.Kind.Transaction, 0, _EVIDENCE);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.ZeroHash.selector));
        disputes.claim(_org(1), IDisputes.Kind.Transaction, _TRANSACTION, 0);
        vm.prank(_account(1));
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotVoter.selector, _account(1)));
        disputes.claim(_org(1), IDisputes.Kind.Transaction, _TRANSACTION, _EVIDENCE);
    }

    function test_TwoOrganizationsHaveNoJudge() external {
        _found(2, true);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NoJudges.selector));
        disputes.claim(_org(1), IDisputes.Kind.Transaction, _TRANSACTION, _EVIDENCE);
    }

    function test_SuspendedRespondentIsNoJudgeEither() external {
        _governing();
        members.suspendOrganization(_org(1));
        _nextBlock();
        _claim();
        vm.assertEq(disputes.tallyOf(1).electorate, 4, "counted out once");
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Answer and evidence
    // ---------------------------------------------------------------------------------------------------------------

    function test_AnswerOpensTheVoteAtOnce() external {
        _claim();
        _pass(100);
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Answered(1, _ANSWER, 1_000_100 + _VOTING);
        _answer();
        _assertState(IDisputes.State.Voting);
        vm.assertEq(disputes.disputeAt(1).answer, _ANSWER, "kept");
        _expectWrong(IDisputes.State.Voting);
        _answer();
        _pass(_VOTING);
        _assertState(IDisputes.State.Undecided);
    }

    function test_SilenceOpensItAtTheEnd() external {
        _claim();
        _pass(_ANSWERING - 1);
        _expectWrong(IDisputes.State.Answering);
        _vote(2, IBallots.Choice.Approve);
        _pass(1);
        _assertState(IDisputes.State.Voting);
        _expectWrong(IDisputes.State.Voting);
        _answer();
        _pass(_VOTING - 1);
        _assertState(IDisputes.State.Voting);
        _pass(1);
        _assertState(IDisputes.State.Undecided);
    }

    function test_OnlyTheRespondentAnswers() external {
        _claim();
        for (uint256 i = 0; i < 3; i += 2) {
            _asAdmin(i);
            vm.expectRevert(abi.encodeWithSelector(IDisputes.NotParty.selector, 1, _org(i)));
            disputes.answer(1, _ANSWER);
        }
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.ZeroHash.selector));
        disputes.answer(1, 0);
    }

    function test_PartiesAddEvidenceUntilItIsOver() external {
        _claim();
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.EvidenceAdded(1, _org(1), _EVIDENCE);
        _asAdmin(1);
        disputes.addEvidence(1, _EVIDENCE);
        _answer();
        _asAdmin(0);
        disputes.addEvidence(1, _EVIDENCE);
        _asAdmin(2);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotParty.selector, 1, _org(2)));
        disputes.addEvidence(1, _EVIDENCE);
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.ZeroHash.selector));
        disputes.addEvidence(1, 0);
        _pass(_VOTING);
        _expectWrong(IDisputes.State.Undecided);
        _asAdmin(0);
        disputes.addEvidence(1, _EVIDENCE);
    }

    function test_ClaimantWithdrawsUntilItIsOver() external {
        _claim();
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotParty.selector, 1, _org(1)));
        disputes.withdraw(1);
        _answer();
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Withdrawn(1);
        _asAdmin(0);
        disputes.withdraw(1);
        _assertState(IDisputes.State.Withdrawn);
        _expectWrong(IDisputes.State.Withdrawn);
        _vote(2, IBallots.Choice.Approve);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Ruling
    // ---------------------------------------------------------------------------------------------------------------

    function test_MajorityOfTheOthersUpholds() external {
        _claim();
        _answer();
        _vote(2, IBallots.Choice.Approve);
        _vote(3, IBallots.Choice.Approve);
        _assertState(IDisputes.State.Voting);
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Voted(1, _org(4), IBallots.Choice.Approve);
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Ruled(1, true, 1_000_000 + _COMPENSATION);
        _vote(4, IBallots.Choice.Approve);
        _assertState(IDisputes.State.Upheld);
        _expectWrong(IDisputes.State.Upheld);
        _vote(5, IBallots.Choice.Reject);
    }

    function test_HalfOfTheOthersDismisses() external {
        _claim();
        _answer();
        _vote(2, IBallots.Choice.Reject);
        vm.assertTrue(disputes.choiceOf(1, _org(2)) == IBallots.Choice.Reject, "kept");
        vm.assertTrue(disputes.choiceOf(1, _org(3)) == IBallots.Choice.None, "not yet");
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Voted(1, _org(3), IBallots.Choice.Reject);
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Ruled(1, false, 0);
        _vote(3, IBallots.Choice.Reject);
        _assertState(IDisputes.State.Dismissed);
        _expectWrong(IDisputes.State.Dismissed);
        _asAdmin(1);
        disputes.compensate(1, _TRANSACTION);
    }

    function test_NobodyJudgesItsOwnCase() external {
        _claim();
        _answer();
        for (uint256 i = 0; i < 2; ++i) {
            _asAdmin(i);
            vm.expectRevert(abi.encodeWithSelector(IBallots.NotEligible.selector, _org(i)));
            disputes.vote(1, IBallots.Choice.Approve);
        }
        _vote(2, IBallots.Choice.Approve);
        _asAdmin(2);
        vm.expectRevert(abi.encodeWithSelector(IBallots.AlreadyVoted.selector, _org(2)));
        disputes.vote(1, IBallots.Choice.Approve);
    }

    function test_LateComerDoesNotJudge() external {
        _claim();
        _governing();
        members.addOrganization(_org(9), "nine", _admin(9), 1);
        _answer();
        _nextBlock();
        _asAdmin(9);
        vm.expectRevert(abi.encodeWithSelector(IBallots.NotEligible.selector, _org(9)));
        disputes.vote(1, IBallots.Choice.Approve);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Compensation
    // ---------------------------------------------------------------------------------------------------------------

    function test_CompensationIsANewTransaction() external {
        _uphold();
        _pass(_COMPENSATION - 1);
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Compensated(1, _ANSWER, false);
        _asAdmin(1);
        disputes.compensate(1, _ANSWER);
        _assertState(IDisputes.State.Compensated);
        vm.assertEq(disputes.disputeAt(1).compensation, _ANSWER, "kept");
        _expectWrong(IDisputes.State.Compensated);
        _asAdmin(1);
        disputes.compensate(1, _TRANSACTION);
    }

    function test_LateCompensationIsMarked() external {
        _uphold();
        _pass(_COMPENSATION);
        _assertState(IDisputes.State.Overdue);
        vm.expectEmit(SystemAddresses.DISPUTES);
        emit IDisputes.Compensated(1, _ANSWER, true);
        _asAdmin(1);
        disputes.compensate(1, _ANSWER);
        _assertState(IDisputes.State.Compensated);
    }

    function test_OnlyTheRespondentCompensates() external {
        _uphold();
        _asAdmin(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NotParty.selector, 1, _org(0)));
        disputes.compensate(1, _ANSWER);
        _asAdmin(1);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.ZeroHash.selector));
        disputes.compensate(1, 0);
    }

    function test_CommittedArtifactIsThisContract() external view {
        _assertArtifact(SystemAddresses.DISPUTES, "artifacts/Disputes.json");
    }

    /// @dev Whoever votes what in which order, the ruling is what a count by hand says.
    function testFuzz_RulingIsTheCount(uint256 seed, bool answers) external {
        _claim();
        if (answers) _answer();
        else _pass(_ANSWERING);

        uint256 approvals = 0;
        uint256 rejections = 0;
        for (uint256 i = 2; i < 6; ++i) {
            uint256 draw = (seed >> (8 * i)) % 3;
            if (draw == 0 || approvals == 3 || rejections == 2) continue;
            _vote(i, IBallots.Choice(draw));
            if (draw == 1) ++approvals;
            else ++rejections;
        }
        bool decided = approvals == 3 || rejections == 2;
        if (!decided) _assertState(IDisputes.State.Voting);
        _pass(_VOTING);
        if (!decided) _assertState(IDisputes.State.Undecided);
        else _assertState(approvals == 3 ? IDisputes.State.Upheld : IDisputes.State.Dismissed);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Helpers
    // ---------------------------------------------------------------------------------------------------------------

    function _claim() private returns (uint256 dispute) {
        _asAdmin(0);
        return disputes.claim(_org(1), IDisputes.Kind.Transaction, _TRANSACTION, _EVIDENCE);
    }

    function _answer() private {
        _asAdmin(1);
        disputes.answer(1, _ANSWER);
    }

    function _vote(uint256 index, IBallots.Choice choice) private {
        _asAdmin(index);
        disputes.vote(1, choice);
    }

    function _uphold() private {
        _claim();
        _answer();
        for (uint256 i = 2; i < 5; ++i) {
            _vote(i, IBallots.Choice.Approve);
        }
    }

    function _expectWrong(IDisputes.State state) private {
        vm.expectRevert(abi.encodeWithSelector(IDisputes.WrongState.selector, 1, state));
    }

    function _assertState(IDisputes.State wanted) private view {
        vm.assertEq(uint8(disputes.stateOf(1)), uint8(wanted), "state");
    }
}
