"""The system contracts' code, as their EIPs fix it, and requests to them."""

from . import draw
from .assembler import Code

BEACON_ROOTS = "000f3df6d732807ef1319fb7b8bb8522d0beac02"
HISTORY = "0000f90827f1c53a10cb7a02335b175320002935"
WITHDRAWALS = "00000961ef480eb55e80d19ad83579a64c007002"
CONSOLIDATIONS = "0000bbddc7ce488642fb579f8b00f3a590007251"
DEPOSITS = "00000000219ab540356cbb839cbe05303d7705fa"

DEPOSIT_TOPIC = 0x649BBC62D0E31342AFEA4E5CD82D4049E7E1EE912FC0889AA790803BE39038C5

_CODES = {
    BEACON_ROOTS: (  # EIP-4788
        "3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff810690815414603c575f5f"
        "fd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500"
    ),
    HISTORY: (  # EIP-2935
        "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006"
        "545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
    ),
    WITHDRAWALS: (  # EIP-7002
        "3373fffffffffffffffffffffffffffffffffffffffe1460cb5760115f54807fffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffff146101f457600182026001905f5b5f82111560685781019083028483029004916001019190604d565b9093900492505050366038"
        "14608857366101f457346101f4575f5260205ff35b34106101f457600154600101600155600354806003026004013381556001015f3581556001"
        "0160203590553360601b5f5260385f601437604c5fa0600101600355005b6003546002548082038060101160df575060105b5f5b818114610183"
        "5782810160030260040181604c02815460601b8152601401816001015481526020019060020154807fffffffffffffffffffffffffffffffff00"
        "000000000000000000000000000000168252906010019060401c908160381c81600701538160301c81600601538160281c81600501538160201c"
        "81600401538160181c81600301538160101c81600201538160081c81600101535360010160e1565b910180921461019557906002556101a0565b"
        "90505f6002555f6003555b5f54807fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff14156101cd57505f5b6001"
        "546002828201116101e25750505f6101e8565b01600290035b5f555f600155604c025ff35b5f5ffd"
    ),
    CONSOLIDATIONS: (  # EIP-7251
        "3373fffffffffffffffffffffffffffffffffffffffe1460d35760115f54807fffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffff1461019a57600182026001905f5b5f82111560685781019083028483029004916001019190604d565b9093900492505050366060"
        "146088573661019a573461019a575f5260205ff35b341061019a57600154600101600155600354806004026004013381556001015f3581556001"
        "01602035815560010160403590553360601b5f5260605f60143760745fa0600101600355005b6003546002548082038060021160e7575060025b"
        "5f5b8181146101295782810160040260040181607402815460601b815260140181600101548152602001816002015481526020019060030154"
        "905260010160e9565b910180921461013b5790600255610146565b90505f6002555f6003555b5f54807fffffffffffffffffffffffffffffffff"
        "ffffffffffffffffffffffffffffffff141561017357505f5b6001546001828201116101885750505f61018e565b01600190035b5f555f600155"
        "6074025ff35b5f5ffd0000"
    ),
}


def _deposit_logger():
    """Stands in for the deposit contract: logs its calldata, so that deposits are ours to choose.

    The topic is the deposit event's plus the call's value: with value it is another event.
    """
    code = Code().op("CALLDATASIZE").push(0, 0).op("CALLDATACOPY")
    code.op("CALLVALUE").push(DEPOSIT_TOPIC).op("ADD", "CALLDATASIZE").push(0)
    return code.op("LOG1", "STOP").build()


def codes(fork):
    """Address to code of the system contracts this fork calls."""
    found = {BEACON_ROOTS: bytes.fromhex(_CODES[BEACON_ROOTS])}
    if fork.has("history"):
        found[HISTORY] = bytes.fromhex(_CODES[HISTORY])
    if fork.has("requests"):
        found[WITHDRAWALS] = bytes.fromhex(_CODES[WITHDRAWALS])
        found[CONSOLIDATIONS] = bytes.fromhex(_CODES[CONSOLIDATIONS])
        found[DEPOSITS] = _deposit_logger()
    return found


def deposit(random):
    """The ABI encoding of a deposit event: five byte strings."""
    parts = [random.randbytes(length) for length in (48, 32, 8, 96, 8)]
    head, tail = b"", b""
    for part in parts:
        head += (160 + len(tail)).to_bytes(32, "big")
        tail += len(part).to_bytes(32, "big") + part + bytes(-len(part) % 32)
    return head + tail


def request(random):
    """(address, calldata, value) of a call to a system contract: mostly one it accepts."""
    address = draw.weighted(random, {DEPOSITS: 3, WITHDRAWALS: 3, CONSOLIDATIONS: 3, HISTORY: 1, BEACON_ROOTS: 1})
    if address == DEPOSITS:  # cut short, it would make the block invalid
        return address, deposit(random), random.choice([0, 0, 1])
    value = 0
    if address in (BEACON_ROOTS, HISTORY):
        data = random.randrange(12).to_bytes(32, "big")  # of few blocks and times is anything known
    else:
        data = random.randbytes(56 if address == WITHDRAWALS else 96)
        value = random.choice([1, 2, 1000, 10**6, 0])
    if random.random() < 0.15:
        data = data[: random.randrange(len(data))]
    return address, data, value
