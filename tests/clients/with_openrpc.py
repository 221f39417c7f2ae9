"""Every method of Ethereum's OpenRPC specification that the node serves: its results against the specification's schema.

ASHLAR_OPENRPC is the folder of ethereum/execution-apis with `src/**/*.yaml`. A method that the node serves and that is not
asked here fails, and so does one that takes too few or too many parameters without saying so.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable, NoReturn

import yaml
from eth_account import Account
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from web3 import HTTPProvider
from web3.utils import get_create_address


def required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set; run.sh says what the scripts need")
    return value


SPEC = Path(required("ASHLAR_OPENRPC"))
RPC = HTTPProvider(required("ASHLAR_RPC"))
CHAIN_ID = int(os.environ.get("ASHLAR_CHAIN_ID", "4242"))
ACCOUNT = Account.from_key(required("ASHLAR_KEY"))
INVALID_PARAMS = -32602
NO_METHOD = -32601
# Asked of a consensus client or a test harness, not of a node's users.
OTHER_PARTS = ("engine_", "testing_")

passed = 0
failed = 0


def report(name: str, problem: str | None) -> None:
    global passed, failed
    if problem is None:
        passed += 1
        print(f"ok    {name}")
    else:
        failed += 1
        print(f"FAIL  {name}: {problem[:600]}")


def finish() -> NoReturn:
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 else 1)


def ask(method: str, params: list[Any]) -> dict[str, Any]:
    return RPC.make_request(method, params)


def result(method: str, params: list[Any]) -> Any:
    answer = ask(method, params)
    if "error" in answer:
        raise AssertionError(f"{method}: {answer['error']}")
    return answer["result"]


# --- the specification ---------------------------------------------------------------------------------------------------


def read_spec() -> tuple[list[dict[str, Any]], Registry]:
    methods = []
    schemas: dict[str, Any] = {}
    for path in sorted(SPEC.glob("src/*/*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.parent.name == "schemas":
            schemas.update(content)
        elif path.parent.name != "error-groups" and isinstance(content, list):
            methods += [method for method in content if not method["name"].startswith(OTHER_PARTS)]
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": {"schemas": schemas}}
    registry = Registry().with_resource("spec:", Resource.from_contents(document))
    return methods, registry


def absolute(schema: Any) -> Any:
    """The schema with references that find the specification from anywhere."""
    if isinstance(schema, list):
        return [absolute(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: "spec:" + value if key == "$ref" and isinstance(value, str) and value.startswith("#/") else absolute(value)
        for key, value in schema.items()
    }


# --- what there is to ask about ------------------------------------------------------------------------------------------


class Chain:
    """Transactions of every type that the node takes, a contract that logs, and the blocks they are in."""

    # log2(0, 32, 1, 2); sstore(0, calldataload(0)); return(0, 32)
    RUNTIME = bytes.fromhex("6002600160205fa25f355f5560205ff3")

    def __init__(self) -> None:
        # An account of its own: what it leaves waiting is in nobody's way.
        self.account = ACCOUNT
        self.nonce = int(result("eth_getTransactionCount", [ACCOUNT.address, "pending"]), 16)
        user = Account.create()
        self.send({"to": user.address, "value": 10**18})
        self.account, self.nonce = user, 0
        self.contract = get_create_address(user.address, 0)
        size = len(self.RUNTIME)
        init = bytes([0x5F + size]) + self.RUNTIME + bytes([0x5F, 0x52, 0x60, size, 0x60, 32 - size, 0xF3])
        created = self.send({"data": init})
        data = "0x" + "00" * 31 + "07"
        keys = [{"address": self.contract, "storageKeys": ["0x" + "00" * 32]}]
        call = {"to": self.contract, "data": data}
        authorization = {"chainId": CHAIN_ID, "address": self.contract, "nonce": 0}
        self.dynamic = self.send({**call, "accessList": keys})
        self.types = [
            created,
            self.send({**call, "gasPrice": 2 * 10**9}),
            self.send({**call, "gasPrice": 2 * 10**9, "accessList": keys, "type": 1}),
            self.dynamic,
            self.send({**call, "authorizationList": [Account.create().sign_authorization(authorization)]}),
        ]

    def sign(self, transaction: dict[str, Any]) -> str:
        whole = {"chainId": CHAIN_ID, "nonce": self.nonce, "gas": 300_000, "value": 0, **transaction}
        if "gasPrice" not in whole:
            whole |= {"maxFeePerGas": 2 * 10**9, "maxPriorityFeePerGas": 10**9}
        return "0x" + self.account.sign_transaction(whole).raw_transaction.hex().removeprefix("0x")

    def send(self, transaction: dict[str, Any]) -> dict[str, Any]:
        raw = self.sign(transaction)
        self.nonce += 1
        digest = result("eth_sendRawTransaction", [raw])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            receipt = result("eth_getTransactionReceipt", [digest])
            if receipt is not None:
                if receipt["status"] != "0x1":
                    raise AssertionError(f"reverted: {receipt}")
                return receipt
            time.sleep(0.02)
        raise AssertionError(f"{digest} is not final after 30 s")


Params = Callable[[], list[Any]]


def questions(chain: Chain) -> dict[str, list[Params]]:
    """What each method is asked; several times where the answer takes several shapes."""
    mine = chain.account.address
    block = chain.dynamic["blockNumber"]
    block_hash = chain.dynamic["blockHash"]
    nobody = "0x" + "77" * 20
    absent = "0x" + "77" * 32
    call = {"from": mine, "to": chain.contract, "data": "0x" + "00" * 32}
    logs = {"fromBlock": "0x0", "toBlock": "latest", "address": chain.contract}
    constant = lambda *params: [lambda params=params: list(params)]  # noqa: E731
    blocks = [["latest"], ["earliest"], ["safe"], ["finalized"], ["pending"], [block], ["0xffffffff"]]
    transactions = [[receipt["transactionHash"]] for receipt in chain.types]
    each = lambda rows: [lambda row=row: list(row) for row in rows]  # noqa: E731

    def new_filter(method: str, *params: Any) -> Params:
        return lambda: [result(method, list(params))]

    waiting = lambda: [chain.sign({"to": nobody, "nonce": chain.nonce + 5})]  # noqa: E731
    return {
        "debug_getRawHeader": each(blocks[:-1]),
        "debug_getRawBlock": each(blocks[:-1]),
        "debug_getRawReceipts": each(blocks[:-1]),
        "debug_getRawTransaction": each(transactions),
        "debug_getBadBlocks": constant(),
        "debug_traceBlockByNumber": constant(block) + constant(block, {"tracer": "callTracer"}),
        "debug_traceBlockByHash": constant(block_hash),
        "debug_traceTransaction": each(transactions) + constant(chain.dynamic["transactionHash"], {"tracer": "callTracer"}),
        "eth_getBlockByHash": constant(block_hash, True) + constant(block_hash, False) + constant(absent, False),
        "eth_getBlockByNumber": each([[*row, full] for row in blocks for full in (True, False)])
        + each([[receipt["blockNumber"], True] for receipt in chain.types]),
        "eth_getBlockTransactionCountByHash": constant(block_hash) + constant(absent),
        "eth_getBlockTransactionCountByNumber": each(blocks),
        "eth_getBlockReceipts": each(blocks) + each([[receipt["blockNumber"]] for receipt in chain.types]) + constant(block_hash),
        "eth_capabilities": constant(),
        "eth_chainId": constant(),
        "eth_syncing": constant(),
        "eth_accounts": constant(),
        "eth_blockNumber": constant(),
        "eth_config": constant(),
        "net_version": constant(),
        "eth_call": constant(call) + constant(call, "latest") + constant(call, block_hash) + constant(call, block),
        "eth_estimateGas": constant(call) + constant(call, "latest"),
        "eth_createAccessList": constant(call) + constant(call, "latest"),
        "eth_simulateV1": constant({"blockStateCalls": [{"calls": [call]}]}, "latest")
        + constant({"blockStateCalls": [{"calls": [call]}, {}], "returnFullTransactions": True, "traceTransfers": True}, "latest"),
        "eth_gasPrice": constant(),
        "eth_baseFee": constant(),
        "eth_blobBaseFee": constant(),
        "eth_maxPriorityFeePerGas": constant(),
        "eth_feeHistory": constant("0x5", "latest", [20, 50]) + constant("0x1", block, []),
        "eth_fillTransaction": constant({"from": mine, "to": nobody, "value": "0x1"}),
        "eth_newFilter": constant(logs),
        "eth_newBlockFilter": constant(),
        "eth_newPendingTransactionFilter": constant(),
        "eth_uninstallFilter": [new_filter("eth_newBlockFilter")],
        "eth_getFilterChanges": [new_filter("eth_newFilter", logs), new_filter("eth_newBlockFilter")],
        "eth_getFilterLogs": [new_filter("eth_newFilter", logs)],
        "eth_getLogs": constant(logs) + constant({"blockHash": block_hash}) + constant({"address": nobody}),
        "eth_getBalance": constant(mine) + constant(nobody, "latest") + constant(mine, block),
        "eth_getStorageAt": constant(chain.contract, "0x0") + constant(chain.contract, "0x" + "00" * 32, "latest"),
        "eth_getStorageValues": constant({chain.contract: ["0x" + "00" * 32]}, "latest"),
        "eth_getTransactionCount": constant(mine) + constant(mine, "pending") + constant(mine, block),
        "eth_getCode": constant(chain.contract) + constant(nobody, "latest") + constant(mine),
        "eth_sendRawTransaction": [waiting],
        # Only a development network's node has accounts.
        "eth_sendTransaction": [lambda: [{"from": result("eth_accounts", [])[-1], "to": nobody, "value": "0x1"}]],
        "eth_sign": [lambda: [result("eth_accounts", [])[-1], "0xdeadbeef"]],
        "eth_signTransaction": [lambda: [{"from": result("eth_accounts", [])[-1], "to": nobody, "value": "0x1"}]],
        "eth_getTransactionByHash": each(transactions) + constant(absent),
        "eth_getTransactionByBlockHashAndIndex": constant(block_hash, "0x0") + constant(block_hash, "0xff"),
        "eth_getTransactionByBlockNumberAndIndex": constant(block, "0x0") + constant("latest", "0xff"),
        "eth_getTransactionReceipt": each(transactions) + constant(absent),
        # After eth_sendRawTransaction: one waits for its turn.
        "txpool_status": constant(),
        "txpool_content": constant(),
        "txpool_contentFrom": constant(mine),
    }


# --- the checks ----------------------------------------------------------------------------------------------------------


def is_any_list(error: ValidationError) -> bool:
    return error.instance == [] and error.validator == "oneOf" and "valid under each of" in error.message


def of_schema(method: dict[str, Any], rows: list[Params], registry: Registry) -> str | None:
    validator = Draft202012Validator(absolute(method["result"]["schema"]), registry=registry)
    for row in rows:
        params = row()
        answer = ask(method["name"], params)
        if "error" in answer:
            return f"{json.dumps(params)[:200]}: {answer['error']}"
        # The specification means one of two lists, and nothing is in both: but an empty one is.
        errors = (error for error in validator.iter_errors(answer["result"]) if not is_any_list(error))
        error = best_match(errors)
        if error is not None:
            where = "/".join(str(step) for step in error.absolute_path)
            return f"{json.dumps(params)[:200]}: at '{where}': {error.message[-300:]}"
    return None


def strict_about_params(method: dict[str, Any]) -> str | None:
    """Missing and superfluous parameters are refused with the code for them."""
    shapes = method["params"]
    wrong = [[None] * len(shapes) + ["0x0"] * 5]
    if any(shape.get("required") for shape in shapes):
        wrong.append([])
    for params in wrong:
        answer = ask(method["name"], params)
        if answer.get("error", {}).get("code") != INVALID_PARAMS:
            return f"{params}: {json.dumps(answer)[:200]}"
    return None


def main() -> None:
    methods, registry = read_spec()
    chain = Chain()
    asked = questions(chain)
    order = list(asked)
    absent = []
    # In the order of the questions; what nobody asks comes last.
    for method in sorted(methods, key=lambda method: order.index(method["name"]) if method["name"] in asked else len(order)):
        name = method["name"]
        if ask(name, ["too", "many", "parameters", 1, 2, 3]).get("error", {}).get("code") == NO_METHOD:
            absent.append(name)
        elif name in asked:
            try:
                report(f"{name}: results are as specified", of_schema(method, asked[name], registry))
                report(f"{name}: parameters are", strict_about_params(method))
            except Exception as error:  # noqa: BLE001 - one method's trouble is not another's
                report(name, f"{type(error).__name__}: {error}")
        else:
            report(name, "it is served, but nothing is asked here")
    print(f"      not served: {', '.join(sorted(absent))}")
    finish()


if __name__ == "__main__":
    main()
