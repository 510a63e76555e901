/** Elements, made in one expression. */

type Child = Node | string | undefined;

/** Attributes as HTML has them; functions are listeners, by the name of their event behind `on`. */
type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: never) => void)>>;

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** A section of the page under its heading. */
export function section(id: string, title: string, lead: string, ...children: Child[]): HTMLElement {
  return h(
    "section",
    { id, class: "card", "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    h("p", { class: "lead" }, lead),
    ...children,
  );
}

export const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;
