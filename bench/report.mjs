/** Writes the table of results into README.md, between its markers. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { here } from "./contenders.mjs";

const titles = {
  same: 'training step, "same"',
  valid: 'training step, "valid"',
  convnet: "training step, small convnet with dropout",
  strided: "training step, strided net",
  normalized: "training step, batch normalization",
  tanh: "training step, tanh before pooling",
  one: "one image, one call",
  many: "10,000 images",
  cold: "one image from a cold start",
  recipe: "whole recipe",
  size: "installed size",
  javascript: "training step, libraries for JavaScript",
};

export function writeTable({ machine, versions, sections }) {
  const path = new URL("README.md", here);
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node.slice(1)}; ` +
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", "),
    "",
    "| what | ours | peers (ours / theirs) |",
    "| --- | --- | --- |",
  ];
  const row = (title, { median, ratios, unit }) => {
    const peers = Object.entries(ratios).map(([name, ratio]) => `${name} ${median[name]} ${unit} (**${ratio}**)`);
    lines.push(`| ${title} | ${median.lenet} ${unit} | ${peers.join("; ")} |`);
  };
  for (const [name, title] of Object.entries(titles)) {
    const section = sections[name];
    if (!section) continue;
    row(title, section);
    if (section.memory) row("peak memory of the recipe", section.memory);
    if (section.twoThreadsOverOne) {
      lines.push(
        `| ↳ two threads over one | ${section.twoThreadsOverOne} | one thread: ${section.median["one thread"]} ms |`,
      );
    }
  }
  const text = readFileSync(path, "utf8");
  const [before, rest] = text.split("<!-- results -->\n");
  const after = rest.slice(rest.indexOf("<!-- /results -->"));
  writeFileSync(path, `${before}<!-- results -->\n\n${lines.join("\n")}\n\n${after}`);
  spawnSync("npx", ["biome", "format", "--write", fileURLToPath(path)]);
}
