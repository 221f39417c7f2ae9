// Compiles the system contracts with the pinned solcjs and keeps `artifacts/` equal to the sources.
//
//   node build.mjs           writes the artifacts
//   node build.mjs --check   writes nothing; fails when a committed artifact differs in a single byte
//
// The artifacts are committed so that `cargo build` needs neither node nor a compiler. Nothing in them depends on the
// machine: no metadata tail, no absolute path, no date.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import solc from "solc";

const HERE = dirname(fileURLToPath(import.meta.url));

// Each contract with all sources it needs, so that the standard-json input (and its hash) is complete by itself.
const CONTRACTS = [
  {
    name: "Records",
    source: "src/Records.sol",
    sources: ["src/Records.sol", "src/interfaces/IRecords.sol", "src/libraries/RecordTree.sol"],
  },
];

// The same as foundry.toml; the forge test `test_CommittedArtifactIsThisContract` fails when they part.
const SETTINGS = {
  evmVersion: "osaka",
  optimizer: { enabled: true, runs: 1_000_000 },
  viaIR: false,
  metadata: { bytecodeHash: "none", appendCBOR: false },
};

const OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode", "evm.methodIdentifiers", "storageLayout"];

function fail(message) {
  process.stderr.write(`build.mjs: ${message}\n`);
  process.exit(1);
}

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}

function compile({ name, source, sources }) {
  const input = JSON.stringify({
    language: "Solidity",
    sources: Object.fromEntries(sources.map((path) => [path, { content: readFileSync(join(HERE, path), "utf8") }])),
    settings: { ...SETTINGS, outputSelection: { [source]: { [name]: OUTPUTS } } },
  });
  const output = JSON.parse(solc.compile(input));
  // A warning is an error: nobody reads the output of a build that succeeds.
  const complaints = output.errors ?? [];
  if (complaints.length > 0) fail(complaints.map((complaint) => complaint.formattedMessage).join("\n"));
  return { input, contract: output.contracts[source][name] };
}

// The files of one contract: the artifact for people and tools, and the runtime code alone for Rust.
function artifacts(spec) {
  const { input, contract } = compile(spec);
  const { deployedBytecode } = contract.evm;
  // Genesis takes the runtime code as it is; a hole that a constructor or a linker must fill would stay a hole.
  for (const holes of [deployedBytecode.immutableReferences, deployedBytecode.linkReferences]) {
    if (Object.keys(holes ?? {}).length > 0) fail(`${spec.name} has immutables or unlinked libraries; genesis code cannot`);
  }

  const artifact = {
    contractName: spec.name,
    sourceName: spec.source,
    compiler: { name: "solc", version: solc.version() },
    settings: SETTINGS,
    inputSha256: sha256(input),
    abi: contract.abi,
    methodIdentifiers: contract.evm.methodIdentifiers,
    // Type ids count the compiler's syntax tree, so they move when a comment does not; labels and slots are what matters.
    storageLayout: contract.storageLayout.storage.map(({ label, slot, offset, type }) => ({
      label,
      slot,
      offset,
      type: contract.storageLayout.types[type].label,
    })),
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${deployedBytecode.object}`,
  };
  return [
    { path: `artifacts/${spec.name}.json`, text: `${JSON.stringify(artifact, null, 2)}\n` },
    { path: `artifacts/${spec.name}.runtime.hex`, text: `0x${deployedBytecode.object}` },
  ];
}

function difference(path, text) {
  const file = join(HERE, path);
  if (!existsSync(file)) return `${path} is missing`;
  const committed = readFileSync(file, "utf8");
  if (committed === text) return null;
  const [was, is] = [committed.split("\n"), text.split("\n")];
  const line = is.findIndex((content, index) => content !== was[index]);
  const at = line === -1 ? is.length : line;
  const show = (content) => (content === undefined ? "(end of file)" : content.trim().slice(0, 100));
  return `${path} is stale, first at line ${at + 1}:\n  committed: ${show(was[at])}\n  compiled:  ${show(is[at])}`;
}

const args = process.argv.slice(2);
const check = args[0] === "--check";
if (args.length > 1 || (args.length === 1 && !check)) fail("usage: node build.mjs [--check]");

const files = CONTRACTS.flatMap(artifacts);
if (check) {
  const differences = files.map(({ path, text }) => difference(path, text)).filter((found) => found !== null);
  if (differences.length > 0) {
    fail(`${differences.join("\n")}\nThe sources and the committed artifacts differ: run \`node build.mjs\` and commit.`);
  }
  process.stdout.write(`${files.length} artifacts are what solc ${solc.version()} makes of the sources\n`);
} else {
  mkdirSync(join(HERE, "artifacts"), { recursive: true });
  for (const { path, text } of files) {
    writeFileSync(join(HERE, path), text);
    process.stdout.write(`wrote ${path}\n`);
  }
}
