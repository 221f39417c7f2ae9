# Recipes; `just` lists them. CI runs `.ci/run`, which is `just ci`.

_default:
    @just --list --unsorted

# The story: four validators, a killed one, a receipt
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# A network that stays up
up *ARGS:
    cargo run --release -- up {{ARGS}}

# All tests; no network, no Docker, no root
test *ARGS:
    cargo test --workspace {{ARGS}}

# Format, spelling, clippy, licences, layers
lint:
    .ci/run tools fmt typos deny clippy
    cargo xtask layers

# The Solidity sources: artifacts up to date, tests, gas
contracts:
    cd contracts && npm ci && npm run check

# Simulate seeds from FIRST on
sim FIRST="1" COUNT="100":
    cargo run --release -- sim --seed {{FIRST}} --count {{COUNT}}

# cast, forge, viem, ethers, web3.py, Hardhat, Uniswap V2 and OpenZeppelin against one validator and four
clients *ARGS:
    cargo xtask scenario clients {{ARGS}}

# Random kill -9 under load: nothing lost, nothing doubled
kills KILLS="100" *ARGS:
    cargo xtask scenario kills --kills {{KILLS}} {{ARGS}}

# Full disks and damaged files: said, healed, nothing lost
storage DAMAGES="20" *ARGS:
    cargo xtask scenario storage --damages {{DAMAGES}} {{ARGS}}

# Ask a node for far too much and see that the others do not feel it
bombs *ARGS:
    cargo xtask scenario bombs {{ARGS}}

# Every GS1 EPCIS example event, recorded and verified
epcis *ARGS:
    cargo xtask scenario epcis {{ARGS}}

# What CI runs; or some steps of it
ci *STEPS:
    .ci/run {{STEPS}}
