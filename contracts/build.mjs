// Compiles the system contracts with the pinned solcjs and keeps `artifacts/` equal to the sources.
//
//   node build.mjs           writes the artifacts
//   node build.mjs --check   writes nothing; fails when a committed artifact differs in a single byte
//
// The artifacts are committed so that `cargo build` needs neither node nor a compiler. Nothing in them depends on the
// machine: no metadata tail, no absolute path, no date.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import solc from "solc";

const HERE = dirname(fileURLToPath(import.meta.url));

const CONTRACTS = ["Records", "Members", "Governance", "Parameters", "Upgrades", "Pause", "Disputes", "Stake", "Succession", "Operations"];

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

// A source and, after it, all it imports: the standard-json input, and so its hash, is complete by itself. A path that is
// not relative is a package of package-lock.json.
function sourcesOf(path, found = new Map()) {
  if (found.has(path)) return found;
  const file = path.startsWith("src/") ? path : join("node_modules", path);
  const content = readFileSync(join(HERE, file), "utf8");
  found.set(path, { content });
  for (const [, imported] of content.matchAll(/^import\s[^"]*"([^"]+)";$/gm)) {
    sourcesOf(imported.startsWith(".") ? posix.join(dirname(path), imported) : imported, found);
  }
  return found;
}

function compile(name) {
  const source = `src/${name}.sol`;
  const input = JSON.stringify({
    language: "Solidity",
    sources: Object.fromEntries(sourcesOf(source)),
    settings: { ...SETTINGS, outputSelection: { [source]: { [name]: OUTPUTS } } },
  });
  const output = JSON.parse(solc.compile(input));
  // A warning is an error: nobody reads the output of a build that succeeds. The packages' warnings are theirs.
  const complaints = (output.errors ?? []).filter(
    ({ severity, sourceLocation }) => severity === "error" || (sourceLocation?.file ?? "src/").startsWith("src/"),
  );
  if (complaints.length > 0) fail(complaints.map((complaint) => complaint.formattedMessage).join("\n"));
  return { source, input, contract: output.contracts[source][name] };
}

// The members of the structs in storage, by the structs' names: slots relative to the struct.
function membersOf(types) {
  const structs = Object.values(types ?? {}).filter(({ members }) => members !== undefined);
  structs.sort((one, other) => (one.label < other.label ? -1 : 1));
  return Object.fromEntries(
    structs.map(({ label, members }) => [
      label,
      members.map((member) => ({
        label: member.label,
        slot: member.slot,
        offset: member.offset,
        type: types[member.type].label,
      })),
    ]),
  );
}

// The files of one contract: the artifact for people and tools, and the runtime code alone for Rust.
function artifacts(name) {
  const { source, input, contract } = compile(name);
  const { deployedBytecode } = contract.evm;
  // Genesis takes the runtime code as it is; a hole that a constructor or a linker must fill would stay a hole.
  for (const holes of [deployedBytecode.immutableReferences, deployedBytecode.linkReferences]) {
    if (Object.keys(holes ?? {}).length > 0) fail(`${name} has immutables or unlinked libraries; genesis code cannot`);
  }

  const structs = membersOf(contract.storageLayout.types);
  const artifact = {
    contractName: name,
    sourceName: source,
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
    ...(Object.keys(structs).length > 0 ? { storageStructs: structs } : {}),
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${deployedBytecode.object}`,
  };
  return [
    { path: `artifacts/${name}.json`, text: `${JSON.stringify(artifact, null, 2)}\n` },
    { path: `artifacts/${name}.runtime.hex`, text: `0x${deployedBytecode.object}` },
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
