// A few words in the corner that go away by themselves.

import { h } from "./dom.js";

const frame = document.getElementById("toasts");

/** Says `text` for a while; `action` is { text, run } for a button beside it. Returns a function that takes it away. */
export function toast(text, { bad = false, action = null, stay = false } = {}) {
  const element = h(bad ? "div.toast.bad" : "div.toast", {}, h("span", {}, text));
  const away = () => element.remove();
  if (action) {
    const button = h("button", { type: "button", onclick: () => (away(), action.run()) }, action.text);
    element.append(button);
  }
  frame.append(element);
  while (frame.children.length > 4) frame.firstChild.remove();
  if (!stay) setTimeout(away, bad ? 8000 : 3000);
  return away;
}
