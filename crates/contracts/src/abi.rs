//! The Solidity interfaces, word for word what the committed artifacts declare; `tests/it/interface.rs` compares them.

#![expect(
    clippy::too_many_arguments,
    reason = "as many as the contract's event has"
)]

use alloy_sol_types::sol;

sol! {
    /// The register of business facts (`contracts/src/interfaces/IRecords.sol`, where each item is documented).
    #[derive(Debug, PartialEq, Eq)]
    interface IRecords {
        /// At least one record of a call was stored.
        event Recorded(bytes32 indexed organization, bytes32 root, uint256 count, bytes claimed);
        /// A claimed id was sent with another commitment.
        event Conflicted(bytes32 indexed organization, bytes32 indexed id, bytes32 recorded, bytes32 attempted);

        /// The call carries no record.
        error EmptyBatch();
        /// The call carries more records than one call may.
        error BatchTooLarge(uint256 size, uint256 limit);
        /// Each key needs exactly one commitment.
        error LengthMismatch(uint256 keys, uint256 commitments);
        /// Zero means "not claimed", so it cannot be a commitment.
        error ZeroCommitment(uint256 index);

        /// Claims ids of the sender's organization and stores their commitments.
        function record(bytes32[] calldata keys, bytes32[] calldata commitments) external;
        /// The commitment stored under an id, or zero.
        function commitmentOf(bytes32 id) external view returns (bytes32 commitment);
        /// The id of an organization's record.
        function idOf(bytes32 organization, bytes32 key) external pure returns (bytes32 id);
        /// The organization an account acts for.
        function organizationOf(address account) external view returns (bytes32 organization);
    }
}

sol! {
    /// Organizations, as far as it is called from outside (`contracts/src/interfaces/IMembers.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IMembers {
        struct Organization {
            uint8 status;
            uint16 validatorLimit;
            uint16 validators;
            uint16 nodes;
            uint32 administrators;
            uint32 accounts;
            string name;
        }
        struct Node {
            bytes32 organization;
            uint8 role;
        }

        error NotAdministrator(address account);
        error WrongStatus(bytes32 organization, uint8 status);
        error ZeroOrganization();
        error ZeroAccount();
        error ZeroKey();
        error InvalidName(uint256 length);
        error InvalidPermissions(uint8 permissions);
        error TooManyOrganizations(uint256 limit);
        error TooManyNodes(uint256 limit);
        error TooManyValidators(uint256 limit);
        error TooFewValidators(uint256 left, uint256 floor);
        error LastOrganization();
        error LastAdministrator(bytes32 organization);
        error AccountTaken(address account, bytes32 organization);
        error UnknownAccount(address account);
        error NodeTaken(bytes32 key, bytes32 organization);
        error UnknownNode(bytes32 key);

        function addOrganization(bytes32 organization, string calldata name, address administrator, uint16 validatorLimit) external;
        function suspendOrganization(bytes32 organization) external;
        function reinstateOrganization(bytes32 organization) external;
        function removeOrganization(bytes32 organization) external;
        function setValidatorLimit(bytes32 organization, uint16 limit) external;
        function appointAdministrator(bytes32 organization, address account) external;
        function setAccount(address account, uint8 permissions) external;
        function setNode(bytes32 key, uint8 role) external;
        function nodeAt(bytes32 key) external view returns (Node memory found);
        function nodesOf(bytes32 organization) external view returns (bytes32[] memory keys);
        function organizations() external view returns (bytes32[] memory ids);
        function organizationOf(address account) external view returns (bytes32 organization);
        function policy() external view returns (uint8 chosen);
        function organizationAt(bytes32 organization) external view returns (Organization memory found);
    }

    /// The numbers that governance may change (`contracts/src/interfaces/IParameters.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IParameters {
        error OutOfBounds(uint8 parameter, uint256 value, uint256 least, uint256 greatest);
        error IsVotingRule(uint8 parameter);
        error IsLimit(uint8 parameter);

        function setLimit(uint8 parameter, uint256 value) external;
        function setVotingRule(uint8 parameter, uint256 value) external;
        function valueOf(uint8 parameter) external view returns (uint256 value);
    }

    /// Bonds, and who validates in a bonded network (`contracts/src/interfaces/IStake.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IStake {
        struct Candidate {
            bytes32 key;
            address owner;
            uint256 bond;
        }
        struct Unbonding {
            uint256 amount;
            uint256 releasedAt;
        }

        error NotBonded();
        error ZeroKey();
        error ZeroAmount();
        error UnknownCandidate(bytes32 key);
        error NotOwner(bytes32 key, address account);
        error BondTooLow(uint256 bond, uint256 least);
        error NotEnough(uint256 bond, uint256 amount);
        error TooFewCandidates(uint256 left, uint256 floor);
        error NothingUnbonded(address account);
        error TooEarly(uint256 releasedAt);
        error TransferFailed(address account);

        function bond(bytes32 key) external payable;
        function unbond(bytes32 key, uint256 amount) external;
        function withdraw() external;
        function validators() external view returns (bytes32[] memory keys);
        function candidates() external view returns (Candidate[] memory all);
        function candidateAt(bytes32 key) external view returns (Candidate memory found);
        function unbondingOf(address account) external view returns (Unbonding memory found);
        function totals() external view returns (uint256 bonded, uint256 unbonding);
    }

    /// From which height on which rules hold (`contracts/src/interfaces/IUpgrades.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IUpgrades {
        error ZeroFork();
        error TooSoon(uint256 height, uint256 earliest);
        error TooLate(uint256 height);
        error AlreadyActive(bytes32 fork, uint256 height);
        error NotScheduled(bytes32 fork);
        error TooManyForks(uint256 limit);
        error VersionNotHigher(uint256 version, uint256 current);

        function scheduleFork(bytes32 fork, uint256 height) external;
        function cancelFork(bytes32 fork) external;
        function setMinimumVersion(uint32 version, uint256 height) external;
    }

    /// The network's end, and what goes on with its state (`contracts/src/interfaces/ISuccession.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface ISuccession {
        struct Network {
            bytes identity;
            uint256 chainId;
            bytes32 genesis;
        }

        event Closed(uint256 height);
        event Reopened();
        event SuccessorNamed(bytes identity, uint256 chainId, bytes32 genesis);

        error AlreadyClosed(uint256 height);
        error NotClosed();
        error AlreadySucceeded(bytes32 genesis);
        error InvalidIdentity(bytes identity);
        error InvalidNetwork(uint256 chainId, bytes32 genesis);

        function close() external;
        function reopen() external;
        function nameSuccessor(bytes calldata identity, uint256 chainId, bytes32 genesis) external;
        function closedAt() external view returns (uint256 height);
        function successor() external view returns (Network memory network);
    }

    /// Proposals and votes (`contracts/src/interfaces/IGovernance.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IGovernance {
        struct Action {
            uint8 kind;
            bytes arguments;
        }
        struct Proposal {
            bytes32 proposer;
            bool critical;
            bool canceled;
            bool executed;
            uint32 timelock;
            uint32 window;
            uint48 executableFrom;
        }
        struct Tally {
            uint48 snapshot;
            uint48 closes;
            uint16 electorate;
            uint16 required;
            uint16 approvals;
            uint16 rejections;
        }
        struct Outlook {
            uint256 organizations;
            uint256 ordinary;
            uint256 critical;
            uint256 validators;
            uint256 faults;
            bytes32[] halting;
        }

        event Proposed(uint256 indexed proposal, bytes32 indexed proposer, Action[] actions, string description, Tally tally);

        error InvalidActions(uint256 count);
        error WrongState(uint256 proposal, uint8 state);
        error NotProposer(uint256 proposal, bytes32 organization);
        error ActionFailed(uint256 index, bytes reason);
        error Simulated(Outlook outlook);
        error NotVoter(address account);
        error NotEligible(bytes32 organization);
        error AlreadyVoted(bytes32 organization);
        error BallotNotOpen();
        error NoChoice();

        function propose(Action[] calldata actions, string calldata description) external returns (uint256 proposal);
        function vote(uint256 proposal, uint8 choice) external;
        function cancel(uint256 proposal) external;
        function execute(uint256 proposal) external;
        function simulate(Action[] calldata actions) external;
        function stateOf(uint256 proposal) external view returns (uint8 state);
        function proposalAt(uint256 proposal) external view returns (Proposal memory found);
        function tallyOf(uint256 proposal) external view returns (Tally memory tally);
        function choiceOf(uint256 proposal, bytes32 organization) external view returns (uint8 choice);
        function actionsOf(uint256 proposal) external view returns (Action[] memory actions);
        function proposals() external view returns (uint256 count);
        function outlook() external view returns (Outlook memory seen);
    }

    /// Motions to stop something for a time (`contracts/src/interfaces/IPause.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IPause {
        struct Motion {
            bytes32 proposer;
            bytes32 subject;
            uint8 scope;
            bool carried;
            uint32 duration;
        }

        event MotionMade(uint256 indexed motion, bytes32 indexed proposer, uint8 scope, bytes32 subject, uint256 duration, IGovernance.Tally tally);

        error InvalidSubject(uint8 scope, bytes32 subject);
        error InvalidDuration(uint256 duration, uint256 greatest);
        error UnknownMotion(uint256 motion);
        error NotVoter(address account);
        error NotEligible(bytes32 organization);
        error AlreadyVoted(bytes32 organization);
        error BallotNotOpen();

        function movePause(uint8 scope, bytes32 subject, uint256 duration) external returns (uint256 motion);
        function moveLift(uint8 scope, bytes32 subject) external returns (uint256 motion);
        function approve(uint256 motion) external;
        function pausedUntil(uint8 scope, bytes32 subject) external view returns (uint256 until);
        function motionAt(uint256 motion) external view returns (Motion memory found);
        function tallyOf(uint256 motion) external view returns (IGovernance.Tally memory tally);
        function choiceOf(uint256 motion, bytes32 organization) external view returns (uint8 choice);
        function motions() external view returns (uint256 count);
    }

    /// Claims, answers and rulings (`contracts/src/interfaces/IDisputes.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IDisputes {
        struct Dispute {
            bytes32 claimant;
            bytes32 respondent;
            bytes32 subject;
            bytes32 evidence;
            bytes32 answer;
            bytes32 compensation;
            uint8 kind;
            bool withdrawn;
            uint48 votingFrom;
            uint32 votingPeriod;
            uint32 compensationPeriod;
            uint48 compensationEnds;
        }

        event Claimed(uint256 indexed dispute, bytes32 indexed claimant, bytes32 indexed respondent, uint8 kind, bytes32 subject, bytes32 evidence, uint256 answerEnds, IGovernance.Tally tally);
        event EvidenceAdded(uint256 indexed dispute, bytes32 indexed organization, bytes32 evidence);

        error InvalidRespondent(bytes32 respondent);
        error UnknownSubject(bytes32 subject);
        error ZeroHash();
        error NoJudges();
        error WrongState(uint256 dispute, uint8 state);
        error NotParty(uint256 dispute, bytes32 organization);
        error NotVoter(address account);
        error NotEligible(bytes32 organization);
        error AlreadyVoted(bytes32 organization);
        error BallotNotOpen();
        error NoChoice();

        function claim(bytes32 respondent, uint8 kind, bytes32 subject, bytes32 evidence) external returns (uint256 dispute);
        function addEvidence(uint256 dispute, bytes32 evidence) external;
        function answer(uint256 dispute, bytes32 answer_) external;
        function vote(uint256 dispute, uint8 choice) external;
        function withdraw(uint256 dispute) external;
        function compensate(uint256 dispute, bytes32 transaction) external;
        function stateOf(uint256 dispute) external view returns (uint8 state);
        function disputeAt(uint256 dispute) external view returns (Dispute memory found);
        function tallyOf(uint256 dispute) external view returns (IGovernance.Tally memory tally);
        function choiceOf(uint256 dispute, bytes32 organization) external view returns (uint8 choice);
        function disputes() external view returns (uint256 count);
    }
}

sol! {
    /// A contract call that an account signs (EIP-712), as `IOperations.Operation`.
    #[derive(Debug, Default, PartialEq, Eq, Hash)]
    struct Operation {
        /// What makes it happen at most once.
        bytes32 key;
        /// The contract to call.
        address target;
        /// Wei to send with it.
        uint256 value;
        /// What to call it with.
        bytes data;
        /// What the call gets.
        uint64 gas;
        /// The last second in which it may run.
        uint64 deadline;
        /// The key of an operation that must have ended before; zero for none.
        bytes32 follows;
    }

    /// Contract calls that happen at most once (`contracts/src/interfaces/IOperations.sol`).
    #[derive(Debug, PartialEq, Eq)]
    interface IOperations {
        /// An operation, and whose it is.
        struct Signed {
            address account;
            Operation operation;
            bytes signature;
        }

        event Executed(bytes32 indexed key, bytes32 indexed call, bool succeeded, bytes result);
        event Repeated(bytes32 indexed key, uint8 status);
        event Refused(address indexed account, bytes32 indexed key, bytes reason);

        error InvalidSignature();
        error KeyTaken(bytes32 key, uint8 status);
        error ZeroKey();
        error Expired(uint256 deadline);
        error TooEarly(bytes32 key);
        error NotEnoughGas(uint256 wanted);
        error NotDelegated(address account);
        error NotSelf();
        error NoContract(address target);

        function execute(Operation calldata operation, bytes calldata signature) external returns (uint8 status);
        function relay(Signed[] calldata operations) external;
        function deploy(bytes32 salt, bytes calldata code) external payable returns (address created);
        function statusOf(bytes32 key) external view returns (uint8 status, bytes32 call);
    }
}
