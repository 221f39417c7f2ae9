// The report every client script makes: one line per check, then a count. A check that throws has failed, and the
// script goes on, so one run shows everything a client trips over.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";

const counts = { passed: 0, failed: 0 };

export async function check(name, body) {
  try {
    await body();
    counts.passed += 1;
    console.log(`ok    ${name}`);
    return true;
  } catch (error) {
    counts.failed += 1;
    console.log(`FAIL  ${name}: ${String(error?.message ?? error).replaceAll("\n", " | ").slice(0, 600)}`);
    return false;
  }
}

// A check without which the others have nothing to work on.
export async function essential(name, body) {
  if (await check(name, body)) return;
  console.log("      nothing more can be checked");
  finish();
}

export function skip(name, why) {
  console.log(`skip  ${name}: ${why}`);
}

// Prints the count and ends the process, open sockets or not.
export function finish() {
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exit(counts.failed === 0 ? 0 : 1);
}

// Fails unless `body` throws, and hands back what it threw.
export async function thrown(body) {
  try {
    await body();
  } catch (error) {
    return error;
  }
  assert.fail("it did not fail");
}

// `promise`, or a failure that says what was waited for.
export function within(seconds, what, promise) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

// What `listen` hears of what `act` does. Clients do not tell when a subscription has begun, so the act is repeated until
// it is heard. `listen` is given the two ends of a promise.
export async function heard(what, listen, act) {
  const event = new Promise((resolve, reject) => {
    Promise.resolve(listen(resolve, reject)).catch(reject);
  });
  for (let tries = 1; ; tries += 1) {
    // Both at once, so that neither rejection goes unnoticed while the other is awaited.
    const [outcome, acted] = await Promise.allSettled([within(2, what, event), act()]);
    if (acted.status === "rejected") throw acted.reason;
    if (outcome.status === "fulfilled") return outcome.value;
    if (tries === 5) throw outcome.reason;
  }
}

function required(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set; run.sh says what the scripts need`);
    process.exit(2);
  }
  return value;
}

export const RPC = required("ASHLAR_RPC");
export const WS = process.env.ASHLAR_WS ?? "";
export const KEY = required("ASHLAR_KEY");
export const CHAIN_ID = Number(process.env.ASHLAR_CHAIN_ID ?? 4242);

// What forge made of the contract `name` in `file`.sol, of contracts/fixtures or of OpenZeppelin.
export function artifact(name, file = name) {
  return JSON.parse(readFileSync(`${required("ASHLAR_ARTIFACTS")}/${file}.sol/${name}.json`, "utf8"));
}

export const TOKEN = artifact("FixtureToken");
