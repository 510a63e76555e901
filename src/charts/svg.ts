/** Charts as SVG text, for pages and as files: what all of them share. */

/** Text as it stands in HTML and SVG, in elements and in attributes. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(`"`, "&quot;");
}

/** A number of three digits, or, from a thousand, whole with separators: 0.0123, 12.3, 1,234. */
export function formatNumber(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** What the chart shows, for those who cannot see it. With it comes `id`, which begins the names of parts. */
  readonly description?: string;
  readonly id?: string;
  /** Rules of its own: only where the picture is a file, since in a page they hold for all of it. */
  readonly style?: string;
}

/** The root of a picture, with its name. */
export function frame({ width, height, title, description, id = "chart", style }: Frame, body: string): string {
  const names = description === undefined ? `aria-label="${escaped(title)}"` : `aria-labelledby="${id}-t ${id}-d"`;
  const told =
    description === undefined
      ? ""
      : `  <title id="${id}-t">${escaped(title)}</title>\n  <desc id="${id}-d">${escaped(description)}</desc>\n`;
  const rules = style === undefined ? "" : `  <style>\n${style}\n  </style>\n`;
  const root = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" ${names}>`;
  return `${root}\n${told}${rules}${body}\n</svg>\n`;
}
