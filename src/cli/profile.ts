/** `lenet train --profile`: where the time of a step went, as a table. */
import type { Profile } from "../index.ts";

const shapes = (list: readonly (readonly number[])[]) => list.map((shape) => shape.join("x") || "1").join(" ");

/** The kernel with the shapes that tell it from others of its name: of its first two inputs. */
const describe = ({ name, inputs }: Profile["kernels"][number]) => `${name} ${shapes(inputs.slice(0, 2))}`;

const percent = (share: number | undefined) => (share === undefined ? "" : `${(100 * share).toFixed(0)}%`);

const PHASES = ["forward", "loss", "backward", "update"] as const;

export function formatProfile({ steps, threads, milliseconds, wait, ceiling, kernels }: Profile): string {
  const header = ["ms", "share", "GFLOP/s", "ceiling", "zeros", "wait", "kernel"];
  const rows: string[][] = [];
  for (const phase of PHASES) {
    const own = kernels.filter((kernel) => kernel.phase === phase);
    const sum = (pick: (kernel: (typeof own)[number]) => number) => own.reduce((total, k) => total + pick(k), 0);
    rows.push([
      sum((k) => k.milliseconds).toFixed(3),
      percent(sum((k) => k.share)),
      "",
      "",
      "",
      sum((k) => k.wait).toFixed(3),
      phase,
    ]);
    for (const kernel of own) {
      rows.push([
        kernel.milliseconds.toFixed(3),
        percent(kernel.share),
        kernel.gigaflops?.toFixed(1) ?? "",
        percent(kernel.efficiency),
        percent(kernel.zeros),
        kernel.wait.toFixed(3),
        `  ${describe(kernel)}`,
      ]);
    }
  }
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padStart(widths[i]!))).join("  ");
  const title =
    `${milliseconds.toFixed(2)} ms a step on ${threads} ${threads === 1 ? "thread" : "threads"}, ` +
    `${wait.toFixed(2)} ms of it waiting at barriers; means of ${steps} steps. ` +
    `The machine's ceiling is ${ceiling.toFixed(0)} GFLOP/s.`;
  return [title, "", line(header), ...rows.map(line), ""].join("\n");
}
