"""web3.py, as a user writes it: no option that is not needed on any other chain."""

import asyncio
import json
import os
import re
import sys
from typing import Any, Callable, NoReturn, TypeVar

from eth_account import Account
from eth_utils.abi import event_abi_to_log_topic, filter_abi_by_type, function_abi_to_4byte_selector
from web3 import AsyncWeb3, HTTPProvider, Web3, WebSocketProvider
from web3.contract import Contract
from web3.exceptions import ContractCustomError, ContractLogicError, ContractPanicError, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder
from web3.utils import get_create_address

T = TypeVar("T")


def required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set; run.sh says what the scripts need")
    return value


RPC = required("ASHLAR_RPC")
WS = os.environ.get("ASHLAR_WS", "")
CHAIN_ID = int(os.environ.get("ASHLAR_CHAIN_ID", "4242"))
ACCOUNT = Account.from_key(required("ASHLAR_KEY"))
with open(required("ASHLAR_ARTIFACTS") + "/FixtureToken.sol/FixtureToken.json", encoding="utf-8") as file:
    TOKEN = json.load(file)

SUPPLY = 10**24
ETHER = 10**18

passed = 0
failed = 0


def check(name: str, body: Callable[[], T]) -> T | None:
    """Runs one check. One that raises has failed, and the script goes on."""
    global passed, failed
    try:
        result = body()
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what we want to see
        failed += 1
        print(f"FAIL  {name}: {type(error).__name__}: {' | '.join(str(error).splitlines())[:600]}")
        return None
    passed += 1
    print(f"ok    {name}")
    return result


def essential(name: str, body: Callable[[], T]) -> T:
    """A check without which the others have nothing to work on."""
    result = check(name, body)
    if result is None:
        print("      nothing more can be checked")
        finish()
    return result


def skip(name: str, why: str) -> None:
    print(f"skip  {name}: {why}")


def finish() -> NoReturn:
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 else 1)


def raised(kind: type[T], body: Callable[[], Any]) -> T:
    """Fails unless `body` raises `kind`, and hands back what it raised."""
    try:
        body()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def equal(actual: Any, expected: Any) -> None:
    assert actual == expected, f"{actual!r} is not {expected!r}"


w3 = Web3(HTTPProvider(RPC))
w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(ACCOUNT), layer=0)
w3.eth.default_account = ACCOUNT.address


def mined(transaction_hash: bytes) -> Any:
    return w3.eth.wait_for_transaction_receipt(transaction_hash, timeout=20, poll_latency=0.05)


def stranger() -> str:
    return Account.create().address


def chain_id() -> bool:
    assert w3.is_connected(), "not connected"
    equal(w3.eth.chain_id, CHAIN_ID)
    return True


def balance() -> None:
    assert w3.eth.get_balance(ACCOUNT.address) > ETHER, "the account is not funded"


def native_transfer(fees: dict[str, Any], kind: int) -> None:
    to = stranger()
    transaction = {"from": ACCOUNT.address, "to": to, "value": 7, **fees}
    receipt = mined(w3.eth.send_transaction(transaction))
    equal((receipt.status, receipt.type, receipt.gasUsed), (1, kind, 21_000))
    equal(w3.eth.get_balance(to), 7)
    sent = w3.eth.get_transaction(receipt.transactionHash)
    equal((sent.type, sent.blockHash), (kind, receipt.blockHash))


def deploy() -> Contract:
    nonce = w3.eth.get_transaction_count(ACCOUNT.address)
    factory = w3.eth.contract(abi=TOKEN["abi"], bytecode=TOKEN["bytecode"]["object"])
    receipt = mined(factory.constructor("Fixture", "FIX", SUPPLY).transact())
    equal(receipt.status, 1)
    equal(receipt.contractAddress, get_create_address(ACCOUNT.address, nonce))
    equal(w3.eth.get_code(receipt.contractAddress).to_0x_hex(), TOKEN["deployedBytecode"]["object"])
    return w3.eth.contract(address=receipt.contractAddress, abi=TOKEN["abi"])


essential("chain id", chain_id)
check("balance of the funded account", balance)
check("legacy transfer", lambda: native_transfer({"gasPrice": w3.eth.gas_price}, 0))
check("eip1559 transfer", lambda: native_transfer({}, 2))
token = essential("deploy an OpenZeppelin ERC-20", deploy)
call = token.functions
recipient = stranger()


def metadata() -> None:
    equal((call.name().call(), call.symbol().call(), call.decimals().call()), ("Fixture", "FIX", 18))


def token_transfer() -> Any:
    receipt = mined(call.transfer(recipient, 500).transact())
    equal(receipt.status, 1)
    equal(call.balanceOf(recipient).call(), 500)
    equal(call.balanceOf(ACCOUNT.address).call(), SUPPLY - 500)
    return receipt


check("token metadata", metadata)
transfer = essential("token transfer and balances", token_transfer)


def logs_by_get_logs() -> None:
    block = transfer.blockNumber
    logs = token.events.Transfer().get_logs(from_block=block, to_block=block, argument_filters={"to": recipient})
    equal([dict(log.args) for log in logs], [{"from": ACCOUNT.address, "to": recipient, "value": 500}])
    equal(logs[0].transactionHash, transfer.transactionHash)


def logs_by_filter() -> None:
    entries = token.events.Transfer.create_filter(from_block="latest", argument_filters={"to": recipient})
    entries.get_new_entries()
    mined(call.transfer(recipient, 11).transact())
    equal([log.args.value for log in entries.get_new_entries()], [11])
    equal(entries.get_new_entries(), [])
    equal(w3.eth.uninstall_filter(entries.filter_id), True)


def blocks_by_filter() -> None:
    hashes = w3.eth.filter("latest")
    receipt = mined(call.transfer(recipient, 13).transact())
    assert receipt.blockHash in hashes.get_new_entries(), "the block of the receipt is missing"


check("Transfer logs by getLogs", logs_by_get_logs)
check("Transfer logs by filter", logs_by_filter)
check("block hashes by filter", blocks_by_filter)


def custom_error() -> None:
    poor = stranger()
    error = raised(ContractCustomError, lambda: call.transfer(recipient, 3).call({"from": poor}))
    data = bytes.fromhex(error.data.removeprefix("0x"))
    # web3.py leaves the decoding to the caller.
    declared = {function_abi_to_4byte_selector(item): item for item in filter_abi_by_type("error", TOKEN["abi"])}
    kind = declared[data[:4]]
    equal(kind["name"], "ERC20InsufficientBalance")
    arguments = w3.codec.decode([item["type"] for item in kind["inputs"]], data[4:])
    equal((Web3.to_checksum_address(arguments[0]), *arguments[1:]), (poor, 0, 3))


def reason() -> None:
    error = raised(ContractLogicError, lambda: call.redeem(0).call())
    assert "nothing to redeem" in error.message, error.message


def panic() -> None:
    error = raised(ContractPanicError, lambda: call.share(1, 0).call())
    assert "0x12" in error.message, error.message


def estimate() -> None:
    error = raised(ContractLogicError, lambda: call.redeem(0).estimate_gas())
    assert "nothing to redeem" in error.message, error.message


def reverted() -> None:
    receipt = mined(call.redeem(0).transact({"gas": 100_000}))
    equal((receipt.status, receipt.logs), (0, []))


check("a custom error is decoded", custom_error)
check("a revert reason is decoded", reason)
check("a panic is decoded", panic)
check("an estimate of a reverting call fails with its reason", estimate)
check("a reverted transaction has a receipt that says so", reverted)


def refused(text: str, signer: Any, **fields: Any) -> None:
    """web3.py has one class for all errors of the node; the text says which it is."""
    defaults = {"type": 2, "chainId": CHAIN_ID, "to": recipient, "value": 1, "gas": 21_000}
    fees = {"maxFeePerGas": 2 * w3.eth.gas_price, "maxPriorityFeePerGas": 0}
    signed = signer.sign_transaction({**defaults, **fees, **fields})
    error = raised(Web3RPCError, lambda: w3.eth.send_raw_transaction(signed.raw_transaction))
    assert re.search(text, str(error), re.IGNORECASE), str(error)


next_nonce = w3.eth.get_transaction_count(ACCOUNT.address)
check("nonce too low is refused", lambda: refused("nonce too low", ACCOUNT, nonce=0))
check("insufficient funds are refused", lambda: refused("insufficient funds", Account.create(), nonce=0, value=ETHER))
check("another chain is refused", lambda: refused("chain id", ACCOUNT, nonce=next_nonce, chainId=1))


def blocks() -> None:
    block = w3.eth.get_block(transfer.blockNumber, full_transactions=True)
    equal(block.hash, transfer.blockHash)
    equal(block.transactions[transfer.transactionIndex].hash, transfer.transactionHash)
    equal(w3.eth.get_block(block.hash).number, block.number)
    equal(w3.eth.get_block(block.parentHash).number, block.number - 1)
    latest = w3.eth.get_block("latest")
    assert latest.number >= block.number and latest.timestamp >= block.timestamp, "time runs backwards"


def finalized() -> None:
    block = w3.eth.get_block("finalized")
    equal(w3.eth.get_block(block.number).hash, block.hash)


check("blocks by number, hash and tag", blocks)
check("the finalized block is on the chain", finalized)


async def next_message(live: AsyncWeb3, act: Callable[[], Any]) -> Any:
    """The first message after `act`, on a connection with one subscription."""
    await asyncio.to_thread(act)

    async def first() -> Any:
        async for message in live.socket.process_subscriptions():
            return message["result"]

    return await asyncio.wait_for(first(), timeout=10)


async def subscribed(*subscription: Any, act: Callable[[], Any]) -> Any:
    async with AsyncWeb3(WebSocketProvider(WS)) as live:
        subscription_id = await live.eth.subscribe(*subscription)
        message = await next_message(live, act)
        equal(await live.eth.unsubscribe(subscription_id), True)
        return message


def subscribed_blocks() -> None:
    header = asyncio.run(subscribed("newHeads", act=lambda: mined(call.transfer(recipient, 17).transact())))
    equal(w3.eth.get_block(header["number"]).hash, header["hash"])


def subscribed_logs() -> None:
    topic = event_abi_to_log_topic(token.events.Transfer().abi)
    wanted = {"address": token.address, "topics": ["0x" + topic.hex()]}
    log = asyncio.run(subscribed("logs", wanted, act=lambda: mined(call.transfer(recipient, 19).transact())))
    equal(token.events.Transfer().process_log(log).args.value, 19)


if WS:
    check("WebSocket: new blocks", subscribed_blocks)
    check("WebSocket: Transfer logs", subscribed_logs)
else:
    skip("WebSocket", "ASHLAR_WS is not set")

finish()
