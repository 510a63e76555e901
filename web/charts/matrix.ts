/** A confusion matrix as a table. */
import { colourOf } from "./colours.ts";

/**
 * Rows are the true classes, columns what they were taken for. Mistakes are shaded by how many there are, on a scale of
 * their own: beside what is right they would not be seen.
 */
export function confusionTable(matrix: readonly (readonly number[])[]): HTMLTableElement {
  const table = document.createElement("table");
  table.className = "matrix";
  table.createCaption().textContent = "True digits in rows, what they were taken for in columns";
  const head = table.createTHead().insertRow();
  head.append(cell("th", ""), ...matrix.map((_, column) => scoped("col", column)));
  const mistakes = matrix.flatMap((row, i) => row.filter((_, j) => j !== i));
  const most = Math.max(1, ...mistakes);
  const body = table.createTBody();
  for (const [i, row] of matrix.entries()) {
    const line = body.insertRow();
    line.append(scoped("row", i));
    for (const [j, count] of row.entries()) {
      const data = cell("td", count === 0 ? "·" : String(count));
      if (i === j) data.className = "right";
      else if (count > 0) {
        const share = 0.1 + 0.35 * (count / most);
        data.style.background = colourOf(share, "diverging");
        data.className = "wrong";
      }
      data.title = `${count} of digit ${i} taken for ${j}`;
      line.append(data);
    }
  }
  return table;
}

function cell<Tag extends "td" | "th">(tag: Tag, text: string): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function scoped(scope: "row" | "col", digit: number): HTMLTableCellElement {
  const header = cell("th", String(digit));
  header.scope = scope;
  return header;
}
