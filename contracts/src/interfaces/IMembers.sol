// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IGoverned} from "./IGoverned.sol";

/// @title Members
/// @notice Who takes part: organizations, their accounts and what these may do, their nodes and which of them validate.
///
/// Two hands write here. *Governance* adds, suspends, reinstates and removes organizations and says how many validators
/// each may have. An organization's *administrators* (accounts with that permission) manage its own accounts and nodes,
/// within that limit. Nobody writes for another organization.
///
/// An account belongs to one organization at most, and so does a node. Both are free again when their organization is
/// removed. An organization always has an administrator: the last one cannot be taken away, not even by itself.
///
/// A suspended organization has no vote and its accounts may do nothing; its validators go on, so that a suspension
/// never costs the network its tolerance of faults. To take them too, set its limit of validators to 0.
///
/// Outside dev networks no change leaves fewer than four validators. In a network with the policy `Bonded` the validators
/// are chosen by `Stake`, and the list here says nothing.
///
/// A change of validators is recorded with its height. When it takes effect is the node's business: what is recorded in
/// epoch `e` signs from epoch `e + 3` on.
///
/// System contract at `0x4153484c41520000000000000000000000000002`, present at genesis, its first organizations with it.
interface IMembers is IGoverned {
    /// @notice Where an organization stands. `Removed` is for ever: its id is never used again.
    enum Status {
        None,
        Active,
        Suspended,
        Removed
    }

    /// @notice What an account may be allowed. Stored as bits: `1 << permission`.
    enum Permission {
        /// Send transactions.
        Transact,
        /// Create contracts.
        Deploy,
        /// Manage the organization's accounts and nodes, and propose and vote in its name.
        Administer
    }

    /// @notice What a node does. The permission to validate belongs to nodes, not to accounts.
    enum Role {
        None,
        Observer,
        Validator
    }

    /// @notice Where validators come from; a choice of genesis.
    enum Policy {
        /// From this contract.
        Permissioned,
        /// From `Stake`.
        Bonded
    }

    /// @notice An organization. One slot, and one for the name.
    /// @param status Where it stands.
    /// @param validatorLimit How many validators it may have.
    /// @param validators How many it has.
    /// @param nodes How many nodes it has, validators included; at most 16.
    /// @param administrators How many of its accounts administer; never 0 while it is active or suspended.
    /// @param accounts How many accounts it has.
    /// @param name What people call it, 1 to 31 bytes of UTF-8.
    struct Organization {
        Status status;
        uint16 validatorLimit;
        uint16 validators;
        uint16 nodes;
        uint32 administrators;
        uint32 accounts;
        string name;
    }

    /// @notice An account.
    /// @param organization Which one it belongs to.
    /// @param permissions Its permissions as bits, see `Permission`.
    struct Account {
        bytes32 organization;
        uint8 permissions;
    }

    /// @notice A node.
    /// @param organization Which one runs it.
    /// @param role What it does.
    struct Node {
        bytes32 organization;
        Role role;
    }

    /// @notice One entry of the history of the validator set.
    /// @param key The node's key.
    /// @param height The block that recorded it.
    /// @param added Whether the node became a validator, or ceased to be one.
    struct ValidatorChange {
        bytes32 key;
        uint64 height;
        bool added;
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Events
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice An organization joined.
    /// @param organization Its id.
    /// @param name Its name.
    event OrganizationAdded(bytes32 indexed organization, string name);

    /// @notice An organization lost its vote and its rights until it is reinstated.
    /// @param organization Its id.
    event OrganizationSuspended(bytes32 indexed organization);

    /// @notice A suspended organization has its vote and its rights again.
    /// @param organization Its id.
    event OrganizationReinstated(bytes32 indexed organization);

    /// @notice An organization left for ever; its accounts and nodes are free.
    /// @param organization Its id.
    event OrganizationRemoved(bytes32 indexed organization);

    /// @notice How many validators an organization may have was decided.
    /// @param organization Its id.
    /// @param limit How many.
    event ValidatorLimitSet(bytes32 indexed organization, uint16 limit);

    /// @notice An account joined, changed or left.
    /// @param organization Its organization.
    /// @param account The account.
    /// @param permissions What it may do now, as bits; 0: it does not belong to the organization any more.
    event AccountSet(bytes32 indexed organization, address indexed account, uint8 permissions);

    /// @notice A node joined, changed its role or left.
    /// @param organization Its organization.
    /// @param key Its key.
    /// @param role What it does now; `None`: it does not belong to the organization any more.
    event NodeSet(bytes32 indexed organization, bytes32 indexed key, Role role);

    /// @notice The validator set changed.
    /// @param key The node.
    /// @param added Whether it joined the set or left it.
    /// @param validators How many there are now.
    event ValidatorsChanged(bytes32 indexed key, bool added, uint256 validators);

    // ---------------------------------------------------------------------------------------------------------------
    // Errors
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice The account does not administer an active organization.
    /// @param account Who tried.
    error NotAdministrator(address account);

    /// @notice The organization is not in the state this needs.
    /// @param organization Its id.
    /// @param status Where it stands.
    error WrongStatus(bytes32 organization, Status status);

    /// @notice Zero means "no organization", so it cannot be an id.
    error ZeroOrganization();

    /// @notice Zero means "no account".
    error ZeroAccount();

    /// @notice Zero means "no node".
    error ZeroKey();

    /// @notice A name has 1 to 31 bytes.
    /// @param length How many were sent.
    error InvalidName(uint256 length);

    /// @notice There are permissions among these that do not exist.
    /// @param permissions What was sent.
    error InvalidPermissions(uint8 permissions);

    /// @notice There are as many organizations as there may be.
    /// @param limit How many.
    error TooManyOrganizations(uint256 limit);

    /// @notice The organization has as many nodes as it may have.
    /// @param limit How many.
    error TooManyNodes(uint256 limit);

    /// @notice The organization, or the network, has as many validators as it may have.
    /// @param limit How many.
    error TooManyValidators(uint256 limit);

    /// @notice Too few validators would be left to tolerate a fault.
    /// @param left How many would be left.
    /// @param floor How many there must be.
    error TooFewValidators(uint256 left, uint256 floor);

    /// @notice Nobody could vote any more.
    error LastOrganization();

    /// @notice Nobody could act for the organization any more.
    /// @param organization Its id.
    error LastAdministrator(bytes32 organization);

    /// @notice The account belongs to another organization.
    /// @param account The account.
    /// @param organization Which one.
    error AccountTaken(address account, bytes32 organization);

    /// @notice The account does not belong to the organization.
    /// @param account The account.
    error UnknownAccount(address account);

    /// @notice The node belongs to an organization already.
    /// @param key Its key.
    /// @param organization Which one.
    error NodeTaken(bytes32 key, bytes32 organization);

    /// @notice The node does not belong to the organization.
    /// @param key Its key.
    error UnknownNode(bytes32 key);

    /// @notice This height is not over, so what it will have been is not known.
    /// @param height Which one.
    error HeightNotOver(uint256 height);

    // ---------------------------------------------------------------------------------------------------------------
    // Governance
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice Adds an organization, active from this block on. Its first account has every permission.
    /// @dev An account that recorded before it was a member has, in `Records`, the organization `address padded with
    /// zeros`: with that as its id the organization keeps its records.
    /// @param organization Its id, never used before.
    /// @param name Its name, 1 to 31 bytes.
    /// @param administrator Its first account, of no other organization.
    /// @param validatorLimit How many validators it may have.
    function addOrganization(bytes32 organization, string calldata name, address administrator, uint16 validatorLimit)
        external;

    /// @notice Takes an active organization's vote and rights. Refused for the last active one.
    /// @param organization Its id.
    function suspendOrganization(bytes32 organization) external;

    /// @notice Ends a suspension.
    /// @param organization Its id.
    function reinstateOrganization(bytes32 organization) external;

    /// @notice Removes an active or suspended organization with its nodes, for ever.
    /// @param organization Its id.
    function removeOrganization(bytes32 organization) external;

    /// @notice Says how many validators an organization may have. What it has beyond that become observers, those with
    /// the highest keys first.
    /// @param organization Its id, active or suspended.
    /// @param limit How many.
    function setValidatorLimit(bytes32 organization, uint16 limit) external;

    /// @notice Gives an account every permission of an organization that lost its keys.
    /// @param organization Its id, active or suspended.
    /// @param account An account of that organization or of none.
    function appointAdministrator(bytes32 organization, address account) external;

    // ---------------------------------------------------------------------------------------------------------------
    // Administrators
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice Adds an account to the sender's organization, changes what it may do, or removes it.
    /// @param account The account, of that organization or of none.
    /// @param permissions Its permissions as bits; 0 removes it.
    function setAccount(address account, uint8 permissions) external;

    /// @notice Takes the sender out of its organization, whatever its permissions: nobody is held against its will.
    function quit() external;

    /// @notice Adds a node to the sender's organization, changes its role, or removes it.
    /// @dev That the key is a point of the curve, and that its holder agrees, is not checked: the chain has no ed25519.
    /// @param key Its ed25519 public key.
    /// @param role What it does; `None` removes it.
    function setNode(bytes32 key, Role role) external;

    /// @notice Puts a new key in a node's place, in its role. The number of validators stays the same, so a network of
    /// four can change keys.
    /// @param key The key to give up.
    /// @param successor The key to take its place, of no node.
    function replaceNode(bytes32 key, bytes32 successor) external;

    // ---------------------------------------------------------------------------------------------------------------
    // Views
    // ---------------------------------------------------------------------------------------------------------------

    /// @notice Whether an account may do something now: it belongs to an active organization and has that permission. In
    /// an open network, accounts of no organization may transact and deploy.
    /// @param account The account.
    /// @param permission What.
    function may(address account, Permission permission) external view returns (bool allowed);

    /// @notice The organization an account belongs to, be it active or suspended; 0 for none.
    /// @param account The account.
    function organizationOf(address account) external view returns (bytes32 organization);

    /// @notice The permissions of an account, as bits; 0 when it belongs to no organization.
    /// @param account The account.
    function permissionsOf(address account) external view returns (uint8 permissions);

    /// @notice An organization.
    /// @param organization Its id.
    function organizationAt(bytes32 organization) external view returns (Organization memory found);

    /// @notice The ids of all organizations, active and suspended, at most 128, in no particular order.
    function organizations() external view returns (bytes32[] memory ids);

    /// @notice A node; the role `None` when it is not known.
    /// @param key Its key.
    function nodeAt(bytes32 key) external view returns (Node memory found);

    /// @notice The keys of an organization's nodes, at most 16, in no particular order.
    /// @param organization Its id.
    function nodesOf(bytes32 organization) external view returns (bytes32[] memory keys);

    /// @notice The keys of the validators, at most 32, ascending.
    function validators() external view returns (bytes32[] memory keys);

    /// @notice How many changes of the validator set were recorded since genesis.
    function validatorChanges() external view returns (uint256 count);

    /// @notice One change of the validator set, in the order they were recorded.
    /// @param index Which one, from 0.
    function validatorChangeAt(uint256 index) external view returns (ValidatorChange memory change);

    /// @notice Whether an organization was active at the end of a block.
    /// @param organization Its id.
    /// @param height The block; it must be over.
    function wasActive(bytes32 organization, uint256 height) external view returns (bool active);

    /// @notice How many organizations were active at the end of a block.
    /// @param height The block; it must be over.
    function activeAt(uint256 height) external view returns (uint256 count);

    /// @notice Whether this is a dev network, where a single validator is enough and periods may be seconds.
    function isDev() external view returns (bool dev);

    /// @notice Whether accounts of no organization may transact and deploy.
    function isOpen() external view returns (bool open);

    /// @notice Where validators come from.
    function policy() external view returns (Policy chosen);
}
