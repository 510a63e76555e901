/** What the page has to say: errors above all, one at a time. */
import { h } from "../dom.ts";

export interface Messages {
  readonly element: HTMLElement;
  say(text: string): void;
  error(error: Error): void;
}

export function createMessages(): Messages {
  const text = h("p");
  const close = h("button", { type: "button", onclick: () => element.classList.remove("open") }, "Close");
  const element = h("div", { class: "message", role: "alert" }, text, close);
  const show = (words: string, isError: boolean) => {
    text.textContent = words;
    element.classList.add("open");
    element.classList.toggle("error", isError);
  };
  return {
    element,
    say: (words) => show(words, false),
    error: ({ name, message }) => show(name === "UserError" ? message : `Something went wrong: ${message}`, true),
  };
}
