// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./base/Governed.sol";
import {IMembers} from "./interfaces/IMembers.sol";
import {SortedKeys} from "./libraries/SortedKeys.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title Members
/// @notice See `IMembers`.
///
/// @dev A system contract, see `Records` for what that means. Genesis writes the first organizations as storage:
///
/// | slot | content                                                                                         |
/// | ---- | ----------------------------------------------------------------------------------------------- |
/// | 0    | settings of genesis, never written again: byte 0 `dev`, byte 1 `open`, byte 2 `policy`          |
/// | 1    | `_organizationIds`: their number; the ids from `keccak256(1)` on                                |
/// | 2    | `_organizations`: at `keccak256(id ‖ 2)` status (byte 0), validator limit (1–2), validators (3–4), nodes (5–6), administrators (7–10), accounts (11–14); at the next slot the name as a short string: its bytes from the left, twice its length in the last byte |
/// | 3    | `_accounts`: at `keccak256(account ‖ 3)` the organization, at the next slot the permissions     |
/// | 4    | `_nodes`: at `keccak256(key ‖ 4)` the organization, at the next slot the role                   |
/// | 5    | `_nodeKeys`: at `keccak256(id ‖ 5)` an organization's number of nodes, their keys from the hash of that slot on |
/// | 6    | `_validators`: their number; the keys, ascending, from `keccak256(6)` on                        |
/// | 7    | `_changes`: their number; from `keccak256(7)` on two slots each: the key; the height (bytes 0–7) and whether added (byte 8) |
/// | 8    | `_activity`: at `keccak256(id ‖ 8)` the number of checkpoints, these from the hash of that slot on: the height (bytes 0–5), 1 or 0 for active (bytes 6–31) |
/// | 9    | `_active`: the number of checkpoints, these from `keccak256(9)` on: the height (bytes 0–5), how many are active (bytes 6–31) |
///
/// Bytes count from the least significant one. Genesis writes for each organization: its id, its two slots, its
/// administrators, its nodes and the list of their keys, one checkpoint with height 0 and value 1; then the sorted
/// validators, and one checkpoint of `_active` with height 0 and their number. `_changes` begins empty.
contract Members is IMembers, Governed {
    using Checkpoints for Checkpoints.Trace208;
    using SortedKeys for bytes32[];

    uint256 private constant _ORGANIZATIONS_MAX = 128;
    uint256 private constant _NODES_MAX = 16;

    /// @dev What the engine is built for: its committee's messages are bounded by it.
    uint256 private constant _VALIDATORS_MAX = 32;

    /// @dev Fewer tolerate no fault: n = 3f + 1.
    uint256 private constant _VALIDATORS_FLOOR = 4;

    uint8 private constant _ALL_PERMISSIONS = 7;

    struct Settings {
        bool dev;
        bool open;
        Policy policy;
    }

    /// @dev Genesis writes it, no code does.
    // slither-disable-next-line uninitialized-state
    Settings private _settings;
    bytes32[] private _organizationIds;
    mapping(bytes32 organization => Organization) private _organizations;
    mapping(address account => Account) private _accounts;
    mapping(bytes32 key => Node) private _nodes;
    mapping(bytes32 organization => bytes32[]) private _nodeKeys;
    bytes32[] private _validators;
    ValidatorChange[] private _changes;
    mapping(bytes32 organization => Checkpoints.Trace208) private _activity;
    Checkpoints.Trace208 private _active;

    // ---------------------------------------------------------------------------------------------------------------
    // Governance
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IMembers
    function addOrganization(bytes32 organization, string calldata name, address administrator, uint16 validatorLimit)
        external
        onlyGovernance
    {
        if (organization == 0) revert ZeroOrganization();
        Organization storage added = _organizations[organization];
        if (added.status != Status.None) revert WrongStatus(organization, added.status);
        uint256 length = bytes(name).length;
        if (length == 0 || length > 31) revert InvalidName(length);
        if (_organizationIds.length == _ORGANIZATIONS_MAX) revert TooManyOrganizations(_ORGANIZATIONS_MAX);

        added.status = Status.Active;
        added.name = name;
        _organizationIds.push(organization);
        _recordActivity(organization, true);
        emit OrganizationAdded(organization, name);

        added.validatorLimit = validatorLimit;
        emit ValidatorLimitSet(organization, validatorLimit);
        _setAccount(organization, administrator, _ALL_PERMISSIONS);
    }

    /// @inheritdoc IMembers
    function suspendOrganization(bytes32 organization) external onlyGovernance {
        Organization storage found = _organizations[organization];
        if (found.status != Status.Active) revert WrongStatus(organization, found.status);

        found.status = Status.Suspended;
        _recordActivity(organization, false);
        emit OrganizationSuspended(organization);
    }

    /// @inheritdoc IMembers
    function reinstateOrganization(bytes32 organization) external onlyGovernance {
        Organization storage found = _organizations[organization];
        if (found.status != Status.Suspended) revert WrongStatus(organization, found.status);

        found.status = Status.Active;
        _recordActivity(organization, true);
        emit OrganizationReinstated(organization);
    }

    /// @inheritdoc IMembers
    function removeOrganization(bytes32 organization) external onlyGovernance {
        Organization storage found = _standing(organization);
        _limitValidators(organization, found, 0);
        bytes32[] storage keys = _nodeKeys[organization];
        while (keys.length != 0) {
            _removeNode(organization, found, keys[keys.length - 1]);
        }

        if (found.status == Status.Active) _recordActivity(organization, false);
        found.status = Status.Removed;
        _organizationIds.drop(organization);
        emit OrganizationRemoved(organization);
    }

    /// @inheritdoc IMembers
    function setValidatorLimit(bytes32 organization, uint16 limit) external onlyGovernance {
        _limitValidators(organization, _standing(organization), limit);
    }

    /// @inheritdoc IMembers
    function appointAdministrator(bytes32 organization, address account) external onlyGovernance {
        _standing(organization);
        _setAccount(organization, account, _ALL_PERMISSIONS);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Administrators
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IMembers
    function setAccount(address account, uint8 permissions) external {
        if (permissions > _ALL_PERMISSIONS) revert InvalidPermissions(permissions);
        _setAccount(_administered(), account, permissions);
    }

    /// @inheritdoc IMembers
    function quit() external {
        _setAccount(organizationOf(msg.sender), msg.sender, 0);
    }

    /// @inheritdoc IMembers
    function setNode(bytes32 key, Role role) external {
        bytes32 organization = _administered();
        Organization storage found = _organizations[organization];
        Node storage node = _nodes[key];

        if (node.role == Role.None) {
            if (role == Role.None) revert UnknownNode(key);
            _addNode(organization, found, key);
        } else if (node.organization != organization) {
            revert NodeTaken(key, node.organization);
        }

        if (node.role == role) return;
        if (role == Role.Validator) {
            if (found.validators >= found.validatorLimit) revert TooManyValidators(found.validatorLimit);
            _promote(organization, found, key);
            return;
        }
        if (node.role == Role.Validator) {
            _demote(organization, found, key);
            _requireEnoughValidators();
        }
        if (role == Role.None) _removeNode(organization, found, key);
    }

    /// @inheritdoc IMembers
    function replaceNode(bytes32 key, bytes32 successor) external {
        bytes32 organization = _administered();
        Organization storage found = _organizations[organization];
        Node storage node = _nodes[key];
        if (node.organization != organization) revert UnknownNode(key);
        if (_nodes[successor].role != Role.None) revert NodeTaken(successor, _nodes[successor].organization);

        bool validates = node.role == Role.Validator;
        if (validates) _demote(organization, found, key);
        _removeNode(organization, found, key);
        _addNode(organization, found, successor);
        if (validates) _promote(organization, found, successor);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Views
    // ---------------------------------------------------------------------------------------------------------------

    /// @inheritdoc IMembers
    function may(address account, Permission permission) public view returns (bool allowed) {
        bytes32 organization = organizationOf(account);
        if (organization == 0) return _settings.open && permission != Permission.Administer;
        if (_organizations[organization].status != Status.Active) return false;
        return _accounts[account].permissions & _bit(permission) != 0;
    }

    /// @inheritdoc IMembers
    function organizationOf(address account) public view returns (bytes32 organization) {
        organization = _accounts[account].organization;
        if (_organizations[organization].status == Status.Removed) return 0;
    }

    /// @inheritdoc IMembers
    function permissionsOf(address account) external view returns (uint8 permissions) {
        return organizationOf(account) == 0 ? 0 : _accounts[account].permissions;
    }

    /// @inheritdoc IMembers
    function organizationAt(bytes32 organization) external view returns (Organization memory found) {
        return _organizations[organization];
    }

    /// @inheritdoc IMembers
    function organizations() external view returns (bytes32[] memory ids) {
        return _organizationIds;
    }

    /// @inheritdoc IMembers
    function nodeAt(bytes32 key) external view returns (Node memory found) {
        return _nodes[key];
    }

    /// @inheritdoc IMembers
    function nodesOf(bytes32 organization) external view returns (bytes32[] memory keys) {
        return _nodeKeys[organization];
    }

    /// @inheritdoc IMembers
    function validators() external view returns (bytes32[] memory keys) {
        return _validators;
    }

    /// @inheritdoc IMembers
    function validatorChanges() external view returns (uint256 count) {
        return _changes.length;
    }

    /// @inheritdoc IMembers
    function validatorChangeAt(uint256 index) external view returns (ValidatorChange memory change) {
        return _changes[index];
    }

    /// @inheritdoc IMembers
    function wasActive(bytes32 organization, uint256 height) external view returns (bool active) {
        return _activity[organization].upperLookupRecent(_over(height)) != 0;
    }

    /// @inheritdoc IMembers
    function activeAt(uint256 height) external view returns (uint256 count) {
        return _active.upperLookupRecent(_over(height));
    }

    /// @inheritdoc IMembers
    function isDev() external view returns (bool dev) {
        return _settings.dev;
    }

    /// @inheritdoc IMembers
    function isOpen() external view returns (bool open) {
        return _settings.open;
    }

    /// @inheritdoc IMembers
    function policy() external view returns (Policy chosen) {
        return _settings.policy;
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Organizations and accounts
    // ---------------------------------------------------------------------------------------------------------------

    function _recordActivity(bytes32 organization, bool active) private {
        uint48 height = SafeCast.toUint48(block.number);
        uint208 count = _active.latest();
        if (!active && count == 1) revert LastOrganization();
        // What stood before is of no interest here.
        // slither-disable-next-line unused-return
        _activity[organization].push(height, active ? 1 : 0);
        // slither-disable-next-line unused-return
        _active.push(height, active ? count + 1 : count - 1);
    }

    /// @dev The one place where accounts change. Permissions of 0 remove the account.
    function _setAccount(bytes32 organization, address account, uint8 permissions) private {
        if (account == address(0)) revert ZeroAccount();
        bytes32 owner = organizationOf(account);
        if (owner != 0 && owner != organization) revert AccountTaken(account, owner);
        if (owner == 0 && permissions == 0) revert UnknownAccount(account);

        Organization storage found = _organizations[organization];
        bool wasAdministrator = owner != 0 && _accounts[account].permissions & _bit(Permission.Administer) != 0;
        bool isAdministrator = permissions & _bit(Permission.Administer) != 0;
        if (wasAdministrator && !isAdministrator) {
            if (found.administrators == 1) revert LastAdministrator(organization);
            --found.administrators;
        }
        if (isAdministrator && !wasAdministrator) ++found.administrators;

        if (owner == 0) ++found.accounts;
        if (permissions == 0) {
            --found.accounts;
            delete _accounts[account];
        } else {
            _accounts[account] = Account(organization, permissions);
        }
        emit AccountSet(organization, account, permissions);
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Nodes and validators
    // ---------------------------------------------------------------------------------------------------------------

    /// @dev Adds a node nobody knows, as an observer.
    function _addNode(bytes32 organization, Organization storage found, bytes32 key) private {
        if (key == 0) revert ZeroKey();
        if (found.nodes == _NODES_MAX) revert TooManyNodes(_NODES_MAX);
        ++found.nodes;
        _nodeKeys[organization].push(key);
        _nodes[key] = Node(organization, Role.Observer);
        emit NodeSet(organization, key, Role.Observer);
    }

    /// @dev Removes an observer.
    function _removeNode(bytes32 organization, Organization storage found, bytes32 key) private {
        --found.nodes;
        _nodeKeys[organization].drop(key);
        delete _nodes[key];
        emit NodeSet(organization, key, Role.None);
    }

    function _promote(bytes32 organization, Organization storage found, bytes32 key) private {
        if (_validators.length == _VALIDATORS_MAX) revert TooManyValidators(_VALIDATORS_MAX);
        ++found.validators;
        _validators.insert(key);
        _nodes[key].role = Role.Validator;
        emit NodeSet(organization, key, Role.Validator);
        _recordChange(key, true);
    }

    function _demote(bytes32 organization, Organization storage found, bytes32 key) private {
        --found.validators;
        _validators.remove(key);
        _nodes[key].role = Role.Observer;
        emit NodeSet(organization, key, Role.Observer);
        _recordChange(key, false);
    }

    function _recordChange(bytes32 key, bool added) private {
        _changes.push(ValidatorChange(key, SafeCast.toUint64(block.number), added));
        emit ValidatorsChanged(key, added, _validators.length);
    }

    function _limitValidators(bytes32 organization, Organization storage found, uint16 limit) private {
        found.validatorLimit = limit;
        emit ValidatorLimitSet(organization, limit);
        if (found.validators <= limit) return;

        for (uint256 i = _validators.length; found.validators > limit; --i) {
            bytes32 key = _validators[i - 1];
            if (_nodes[key].organization == organization) _demote(organization, found, key);
        }
        _requireEnoughValidators();
    }

    // ---------------------------------------------------------------------------------------------------------------
    // Conditions
    // ---------------------------------------------------------------------------------------------------------------

    /// @dev Called after validators were taken away.
    function _requireEnoughValidators() private view {
        if (_settings.policy == Policy.Bonded) return;
        uint256 floor = _settings.dev ? 1 : _VALIDATORS_FLOOR;
        if (_validators.length < floor) revert TooFewValidators(_validators.length, floor);
    }

    function _administered() private view returns (bytes32 organization) {
        if (!may(msg.sender, Permission.Administer)) revert NotAdministrator(msg.sender);
        return organizationOf(msg.sender);
    }

    function _standing(bytes32 organization) private view returns (Organization storage found) {
        found = _organizations[organization];
        if (found.status != Status.Active && found.status != Status.Suspended) {
            revert WrongStatus(organization, found.status);
        }
    }

    function _over(uint256 height) private view returns (uint48 past) {
        if (height >= block.number) revert HeightNotOver(height);
        return SafeCast.toUint48(height);
    }

    function _bit(Permission permission) private pure returns (uint8 bit) {
        return uint8(2 ** uint8(permission));
    }
}
