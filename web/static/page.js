// What the modules of the pages share: the language, small elements, times.

const root = document.documentElement;

/** The origin of the register, as it stands in its codes. */
export const origin = root.dataset.origin;

const english = root.lang === "en";

/** T chooses between the two languages. */
export const T = (zh, en) => english ? en : zh;

/** href is an address of this site that keeps the language. */
export const href = path => english ? path + "?lang=en" : path;

/** el makes an element: its attributes, then texts and elements inside it. */
export function el(name, attributes, ...inside) {
  const out = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) out.setAttribute(key, value);
  out.append(...inside);
  return out;
}

/** copy is what a template of the page holds. */
export const copy = id => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** civil is a time in minutes in Shanghai, as on every page of the register. */
export const civil = time => new Date(+time + 8 * 3600e3).toISOString().slice(0, 16).replace("T", " ");

/** idle runs something when the page has nothing better to do. */
export function idle(fn) {
  const soon = () => (window.requestIdleCallback || setTimeout)(fn);
  if (document.readyState === "complete") soon();
  else addEventListener("load", soon);
}
