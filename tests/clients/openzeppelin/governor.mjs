// A governor with a timelock that upgrades a proxy: propose, vote, queue, execute. On both clocks of ERC-6372.
import assert from "node:assert/strict";
import { encodeFunctionData, keccak256, parseEther, toBytes, zeroAddress } from "viem";
import { check, essential } from "../checks.mjs";
import { account, as, at, deploy, domainOf, event, friend, mined, reader, reverts, wallet } from "./account.mjs";
import { boxOf, boxV2 } from "./upgrade.mjs";

const SUPPLY = parseEther("1000");
const STATES = ["Pending", "Active", "Canceled", "Defeated", "Succeeded", "Queued", "Expired", "Executed"];
const [AGAINST, FOR] = [0, 1];
const TIMELOCK_SECONDS = 1n;
const DEADLINE_MS = 60_000;

// anvil makes one for a transaction only.
const block = () => mined(wallet.sendTransaction({ to: account.address }));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The periods leave time for the votes on a slow machine, which makes a block a second meanwhile.
export const CLOCKS = {
  blocks: {
    token: "FixtureVotes",
    mode: "mode=blocknumber&from=default",
    delay: 1,
    period: 15,
    of: (block) => block.number,
    wait: block,
  },
  seconds: {
    token: "FixtureTimedVotes",
    mode: "mode=timestamp",
    delay: 1,
    period: 6,
    of: (block) => block.timestamp,
    wait: () => pause(200).then(block),
  },
};

export async function governor(name) {
  const clock = CLOCKS[name];
  const title = (text) => `Governor by ${name}: ${text}`;
  let token;
  let timelock;
  let board;
  let box;

  const until = async (what, condition) => {
    const deadline = Date.now() + DEADLINE_MS;
    while (!(await condition())) {
      assert.ok(Date.now() < deadline, `not ${what} after ${DEADLINE_MS} ms`);
      await clock.wait();
    }
  };

  await essential(title("deploy, and hand a proxy to the timelock"), async () => {
    token = await deploy(clock.token, [SUPPLY], "FixtureVotes");
    timelock = await deploy("TimelockController", [TIMELOCK_SECONDS, [], [zeroAddress], account.address]);
    board = await deploy("FixtureGovernor", [token.address, timelock.address, clock.delay, clock.period]);
    await mined(timelock.write.grantRole([await timelock.read.PROPOSER_ROLE(), board.address]));
    await mined(timelock.write.grantRole([await timelock.read.CANCELLER_ROLE(), board.address]));
    await mined(timelock.write.renounceRole([await timelock.read.DEFAULT_ADMIN_ROLE(), account.address]));
    ({ box } = await boxOf(timelock.address, 5n));
    assert.equal(await board.read.CLOCK_MODE(), clock.mode);
  });

  await check(title("a call sees the clock of the latest block"), async () => {
    const before = clock.of(await reader.getBlock());
    const seen = BigInt(await board.read.clock());
    const after = clock.of(await reader.getBlock());
    assert.ok(before <= seen && seen <= after, `${before} <= ${seen} <= ${after}`);
  });

  const voters = [];
  await essential(title("delegate votes"), async () => {
    await mined(token.write.delegate([account.address]));
    for (const voter of [await friend(), await friend()]) {
      voters.push(voter);
      await mined(token.write.transfer([voter.address, SUPPLY / 10n]));
      await mined(as(voter, token).write.delegate([voter.address]));
    }
    // Votes count from the next tick on.
    const last = clock.of(await reader.getBlock());
    await until("a tick later", async () => clock.of(await reader.getBlock()) > last);
    assert.equal(await token.read.getVotes([account.address]), (SUPPLY * 8n) / 10n);
  });

  const next = await boxV2();
  const migrate = encodeFunctionData({ abi: next.abi, functionName: "migrate", args: [3n] });
  const upgrade = encodeFunctionData({
    abi: box.abi,
    functionName: "upgradeToAndCall",
    args: [next.address, migrate],
  });
  const proposal = (description) => [[box.address], [0n], [upgrade], description];
  // What queue and execute take: the description's hash.
  const hashed = (description) => [[box.address], [0n], [upgrade], keccak256(toBytes(description))];

  const state = async (id) => STATES[await board.read.state([id])];

  let good;
  let bad;
  await essential(title("propose"), async () => {
    for (const description of ["upgrade the box", "not this one"]) {
      const receipt = await mined(board.write.propose(proposal(description)));
      const created = event(board, "ProposalCreated", receipt);
      const { timestamp, number } = await reader.getBlock({ blockNumber: receipt.blockNumber });
      assert.equal(created.voteStart, clock.of({ timestamp, number }) + BigInt(clock.delay));
      assert.equal(created.voteEnd, created.voteStart + BigInt(clock.period));
      [good, bad] = [good ?? created.proposalId, created.proposalId];
    }
  });

  await essential(title("vote: directly, with a reason, by signature"), async () => {
    await until("active", async () => (await state(bad)) === "Active");
    const [opponent, signer] = voters;
    const signature = await signer.signTypedData({
      domain: await domainOf(board),
      types: {
        Ballot: [
          { name: "proposalId", type: "uint256" },
          { name: "support", type: "uint8" },
          { name: "voter", type: "address" },
          { name: "nonce", type: "uint256" },
        ],
      },
      primaryType: "Ballot",
      message: { proposalId: good, support: FOR, voter: signer.address, nonce: 0n },
    });
    // All on their way before the first is waited for: the poll closes.
    const nonce = await reader.getTransactionCount({ address: account.address });
    const votes = await Promise.all([
      board.write.castVote([good, FOR], { nonce }),
      board.write.castVote([bad, AGAINST], { nonce: nonce + 1 }),
      board.write.castVoteBySig([good, FOR, signer.address, signature], { nonce: nonce + 2 }),
      as(opponent, board).write.castVoteWithReason([good, AGAINST, "it is fine as it is"]),
    ]);
    const receipts = await Promise.all(votes.map(mined));
    assert.equal(event(board, "VoteCast", receipts[2]).voter, signer.address);
    assert.equal(event(board, "VoteCast", receipts[3]).reason, "it is fine as it is");
    const [against, agreed] = await board.read.proposalVotes([good]);
    assert.deepEqual([against, agreed], [SUPPLY / 10n, (SUPPLY * 9n) / 10n]);
  });

  await check(title("what is defeated cannot be queued"), async () => {
    await until("defeated", async () => (await state(bad)) === "Defeated");
    await reverts("GovernorUnexpectedProposalState", () => board.simulate.queue(hashed("not this one"), { account }));
    await reverts("GovernorUnexpectedProposalState", () => board.simulate.castVote([good, FOR], { account }));
  });

  await essential(title("queue"), async () => {
    await until("succeeded", async () => (await state(good)) === "Succeeded");
    const receipt = await mined(board.write.queue(hashed("upgrade the box")));
    const { timestamp } = await reader.getBlock({ blockNumber: receipt.blockNumber });
    assert.equal(event(board, "ProposalQueued", receipt).etaSeconds, timestamp + TIMELOCK_SECONDS);
    assert.equal(await state(good), "Queued");
  });

  await check(title("nobody passes by the governor"), async () => {
    await reverts("AccessControlUnauthorizedAccount", () =>
      timelock.simulate.schedule([box.address, 0n, upgrade, `0x${"0".repeat(64)}`, `0x${"1".repeat(64)}`, 9n]),
    );
    await reverts("OwnableUnauthorizedAccount", () => box.simulate.upgradeToAndCall([next.address, migrate]));
  });

  await check(title("execute"), async () => {
    const eta = await board.read.proposalEta([good]);
    await until("ready", async () => (await reader.getBlock()).timestamp >= eta);
    const receipt = await mined(board.write.execute(hashed("upgrade the box")));
    assert.equal(event(board, "ProposalExecuted", receipt).proposalId, good);
    assert.equal(event(box, "Upgraded", receipt).implementation, next.address);
    assert.equal(await state(good), "Executed");
    const upgraded = at(box.address, "FixtureBoxV2", "FixtureBox");
    assert.deepEqual([await upgraded.read.version(), await upgraded.read.value()], [2n, 15n]);
  });
}
