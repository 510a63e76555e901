/**
 * Who may import whom. One row a folder, as in CONTRIBUTING.md's map; whatever is not listed is forbidden. Types count
 * as much as code, except where a row allows them alone. Tests beside the code are free.
 */
const TESTS = "\\.test\\.ts$";

/** @type {Record<string, { ours?: string[], types?: string[], packages?: string[], node?: boolean }>} */
const MAY_IMPORT = {
  "src/index.ts": {
    ours: [
      "src/model/",
      "src/callbacks/",
      "src/classification.ts",
      "src/layers/",
      "src/optimizers/",
      "src/losses.ts",
      "src/metrics.ts",
      "src/initializers.ts",
      "src/regularizers.ts",
      "src/formats/",
      "src/datasets/",
      "src/image/",
      "src/array.ts",
      "src/errors.ts",
    ],
    types: ["src/kernels/op.ts", "src/arguments.ts"],
  },
  "src/cli/": {
    ours: ["src/index.ts", "src/charts/", "src/image/", "src/runtime/files.ts", "src/errors.ts"],
    packages: ["commander"],
    node: true,
  },
  "src/charts/": {},
  "src/model/": {
    ours: [
      "src/layers/",
      "src/optimizers/",
      "src/losses.ts",
      "src/metrics.ts",
      "src/initializers.ts",
      "src/compiler/",
      "src/kernels/",
      "src/wasm/",
      "src/runtime/",
      "src/formats/",
      "src/datasets/",
      "src/arguments.ts",
      "src/array.ts",
      "src/errors.ts",
      "src/random.ts",
    ],
  },
  "src/classification.ts": { ours: ["src/arguments.ts", "src/array.ts", "src/errors.ts"] },
  "src/callbacks/": {
    ours: ["src/runtime/", "src/arguments.ts", "src/array.ts", "src/errors.ts"],
    types: ["src/model/"],
  },
  "src/layers/": {
    ours: [
      "src/initializers.ts",
      "src/regularizers.ts",
      "src/kernels/",
      "src/arguments.ts",
      "src/array.ts",
      "src/errors.ts",
      "src/random.ts",
    ],
    types: ["src/compiler/"],
  },
  "src/optimizers/": { ours: ["src/kernels/", "src/arguments.ts", "src/errors.ts"], types: ["src/compiler/"] },
  "src/losses.ts": {
    ours: ["src/kernels/", "src/arguments.ts", "src/array.ts", "src/errors.ts"],
    types: ["src/compiler/"],
  },
  "src/metrics.ts": {
    ours: ["src/losses.ts", "src/kernels/", "src/arguments.ts", "src/array.ts", "src/errors.ts"],
    types: ["src/compiler/"],
  },
  "src/initializers.ts": {
    ours: ["src/arguments.ts", "src/array.ts", "src/errors.ts", "src/random.ts"],
    types: ["src/kernels/"],
  },
  "src/regularizers.ts": { ours: ["src/arguments.ts", "src/errors.ts"], types: ["src/kernels/"] },
  "src/compiler/": { ours: ["src/kernels/", "src/wasm/", "src/errors.ts"], packages: ["wasmati"] },
  "src/kernels/": { ours: ["src/wasm/", "src/errors.ts"], packages: ["wasmati"] },
  "src/wasm/": { ours: ["src/errors.ts"], packages: ["wasmati"] },
  "src/runtime/": { ours: ["src/errors.ts"], node: true },
  "src/formats/": { ours: ["src/arguments.ts", "src/array.ts", "src/errors.ts"], packages: ["fflate"] },
  "src/datasets/": {
    ours: [
      "src/formats/",
      "src/image/",
      "src/runtime/",
      "src/arguments.ts",
      "src/array.ts",
      "src/errors.ts",
      "src/random.ts",
    ],
  },
  "src/image/": { ours: ["src/array.ts", "src/errors.ts"], packages: ["fast-png", "fflate", "jpeg-js"] },
  "src/arguments.ts": { ours: ["src/errors.ts"] },
  "src/array.ts": { ours: ["src/arguments.ts", "src/errors.ts"] },
  "src/random.ts": { packages: ["pure-rand"] },
  "src/errors.ts": {},
};

const escapeDots = (path) => path.replaceAll(".", "\\.");
/** A folder (ends in /) matches what is in it, a file itself alone. */
const pattern = (path) => (path.endsWith("/") ? `^${escapeDots(path)}` : `^${escapeDots(path)}$`);
const packagePattern = (name) => `node_modules/${escapeDots(name)}/`;

function rulesOf([place, { ours = [], types = [], packages = [], node = false }]) {
  const from = { path: pattern(place), pathNot: TESTS };
  const name = place.replace(/^src\//, "").replace(/\/$|\.ts$/, "");
  const own = [pattern(place), ...ours.map(pattern)];
  return [
    {
      name: `${name}: only the layers below`,
      severity: "error",
      from,
      to: { path: "^(src|test|bench|web|interop|examples)/", pathNot: [...own, ...types.map(pattern)] },
    },
    ...types.map((folder) => ({
      name: `${name}: only types of ${folder}`,
      severity: "error",
      from,
      to: { path: pattern(folder), dependencyTypesNot: ["type-only"] },
    })),
    {
      name: `${name}: only its own packages`,
      severity: "error",
      from,
      to: { path: "node_modules/", pathNot: packages.map(packagePattern) },
    },
    ...(node ? [] : [{ name: `${name}: not Node`, severity: "error", from, to: { dependencyTypes: ["core"] } }]),
  ];
}

const listed = Object.keys(MAY_IMPORT).map(pattern);

module.exports = {
  forbidden: [
    ...Object.entries(MAY_IMPORT).flatMap(rulesOf),
    {
      name: "every module has a row",
      comment: "A new folder or file of src/ needs a row in .dependency-cruiser.cjs and in CONTRIBUTING.md.",
      severity: "error",
      from: { path: "^src/", pathNot: [...listed, TESTS] },
      to: {},
    },
    { name: "no cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no missing modules", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "benchmarks and examples use the public API",
      severity: "error",
      from: { path: "^(bench|web|examples)/" },
      to: { path: "^src/", pathNot: "^src/(index|errors)\\.ts$" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^bench/peers/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
