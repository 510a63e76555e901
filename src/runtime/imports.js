/**
 * What a module imports: its memory and, in a profile, a clock. JavaScript, because the worker is loaded as it lies.
 *
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} memory
 * @returns {WebAssembly.Imports}
 */
export function bindImports(module, memory) {
  /** @type {Record<string, Record<string, WebAssembly.ImportValue>>} */
  const imports = {};
  for (const { module: space, name, kind } of WebAssembly.Module.imports(module)) {
    imports[space] ??= {};
    imports[space][name] = kind === "memory" ? memory : () => performance.now();
  }
  return imports;
}
