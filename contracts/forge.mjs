#!/usr/bin/env node
// Runs the pinned forge in this folder, whatever the caller's, and ends with its exit code.
//
// The package `@foundry-rs/forge` is not used: its launcher always ends with 0, so a failed test would pass for a success.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const architecture = { x64: "amd64", arm64: "arm64" }[process.arch];
const binary = `@foundry-rs/forge-${process.platform}-${architecture}/bin/forge`;

let path;
try {
  path = createRequire(import.meta.url).resolve(binary);
} catch {
  process.stderr.write(`forge.mjs: ${binary} is not installed: run \`npm ci\` in contracts/\n`);
  process.exit(1);
}

// foundry.toml names the compiler by a path relative to the working directory.
const cwd = dirname(fileURLToPath(import.meta.url));
const { status, error } = spawnSync(path, process.argv.slice(2), { cwd, stdio: "inherit" });
if (error) process.stderr.write(`forge.mjs: ${error.message}\n`);
process.exit(status ?? 1);
