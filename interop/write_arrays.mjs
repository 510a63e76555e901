/** Writes arrays as a .npz file. Usage: node write_arrays.mjs FILE */
import { datasets, NDArray } from "../dist/index.js";

await datasets.saveNpz(process.argv[2], {
  images: new NDArray(
    Uint8Array.from({ length: 120 }, (_, i) => i * 2),
    [5, 4, 3, 2],
  ),
  labels: new NDArray(Int32Array.of(-1, 2 ** 31 - 1), [2, 1]),
  floats: new NDArray(Float32Array.of(0.1, -3e38, 0), [3]),
  "un prénom": new NDArray(new Float32Array(0), [0, 7]),
});
