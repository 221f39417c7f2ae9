#!/usr/bin/env node
// The pinned solcjs, seen by forge as a native solc.
//
// forge asks a compiler for two things only: its version, and the answer to one standard-json document on standard
// input. No native compiler is downloaded, so forge and build.mjs run the very same one.
import process from "node:process";
import { text } from "node:stream/consumers";
import solc from "solc";

const args = process.argv.slice(2);

if (args.includes("--version")) {
  // forge takes the version from the last line, in the form the native compiler prints it.
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (args.includes("--standard-json")) {
  // forge sends every source inline: an import that is not among them is an error in the project, so no import callback.
  // As a stream: the pipe from forge is a non-blocking one, and a document larger than a pipe is not there at once.
  process.stdout.write(solc.compile(await text(process.stdin)));
} else {
  process.stderr.write(`solc.mjs answers only --version and --standard-json, got: ${args.join(" ")}\n`);
  process.exit(2);
}
