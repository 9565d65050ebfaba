// The trust material of the register: fetched, and kept in this browser so that
// codes can be checked without it. What is kept is public and signed; its age is
// always told. Where a browser keeps nothing (private windows, old phones,
// addresses without https) the fetched material is used and forgotten.
import { makeTrust, parse, placeOf, verify } from "./bajigong-verify.js";
import { T, el, origin } from "./page.js";

const STORE = "bajigong-trust-1";

// store is the browser's store, null where there is none.
const store = async () => { try { return await caches.open(STORE); } catch { return null; } };

// The register's own address may be another name of the server that this page
// came from, so what is asked of the register is asked here.
const here = url => {
  const at = new URL(url, location.href);
  return at.pathname + at.search;
};

// kept is a fetch that asks nobody: it answers what was kept.
async function kept(url) {
  return await (await store())?.match(here(url), { ignoreVary: true }) || new Response("", { status: 504 });
}

// keeping is a fetch that keeps what it gets.
const keeping = mode => async url => {
  // What was voided a second ago must not wait for the browser's own cache.
  const cache = url.startsWith("/status/") ? "no-cache" : mode;
  const answer = await fetch(here(url), { credentials: "omit", cache });
  if (answer.ok) await (await store())?.put(here(url), answer.clone()).catch(() => { });
  return answer;
};

/** keptAt is when something was fetched; null when it was not. */
export async function keptAt(path) {
  const date = (await kept(path)).headers.get("date");
  return date ? new Date(date) : null;
}

// Cannot says why nothing can be checked at all: no-check, the browser cannot;
// no-keys, there are no keys.
class Cannot extends Error {
  constructor(code) { super(code); this.code = code; }
}

/** scan takes the text of a code apart; null when it is none. */
export function scan(text) {
  try { return parse(text); } catch { return null; }
}

// listsOf are the paths of the status lists that the code in text is in.
function listsOf(text) {
  try {
    const { list } = placeOf(text);
    return ["revocation", "suspension", "refresh"].map(purpose => `/status/${purpose}-${list}`);
  } catch {
    return [];
  }
}

const body = async (get, path) => {
  const answer = await get(path).catch(() => null);
  return answer?.ok ? (await answer.text()).trim() : null;
};

// material makes trust of what get answers. Keys of codes there must be; what
// else is missing, damaged or of another day is left out, and the verdict says
// less.
async function material(get, text, all) {
  const now = new Date(), keys = await body(get, "/keys/qr.json");
  if (!keys) throw new Cannot("no-keys");
  let trust = await makeTrust({ jwks: [JSON.parse(keys)], origins: [origin], now });
  if (!all) return trust;
  const more = async change => {
    const { jwks, directory, lists, origins } = trust;
    try { trust = await makeTrust({ jwks, directory, lists, origins, now, ...change(trust) }); } catch { }
  };
  for (const purpose of ["status", "directory"]) {
    const set = await body(get, `/keys/${purpose}.json`);
    if (set) await more(t => ({ jwks: [...t.jwks, JSON.parse(set)] }));
  }
  const directory = await body(get, "/directory.jws");
  if (directory) await more(() => ({ directory }));
  for (const path of listsOf(text)) {
    const list = await body(get, path);
    if (list) await more(t => ({ lists: [...t.lists, list] }));
  }
  return trust;
}

/**
 * check verifies the text of a code: with the keys of the register, or, offline,
 * with all that was kept. It throws a Cannot, or the VerifyError of a text that
 * is no code.
 */
export async function check(text, { offline = false } = {}) {
  if (!globalThis.crypto?.subtle) throw new Cannot("no-check");
  if (offline) return verify(text, await material(kept, text, true), new Date());
  const verdict = await verify(text, await material(keeping("default"), text), new Date());
  // Keys are kept for an hour by every browser; a key may be newer.
  if (verdict.reasons[0] !== "unknown-key") return verdict;
  return verify(text, await material(keeping("reload"), text), new Date());
}

// Directories are long, and change by the day.
const directoryLife = 12 * 3600e3;

/**
 * prepare fetches what an offline check of this code, or of any, will need, and
 * answers the verdict with all of it; null when text is "". The worker is
 * registered last: it may fail, and nothing else should.
 */
export async function prepare(text) {
  const fresh = keeping("default"), lists = new Set(listsOf(text));
  for (const request of await (await store())?.keys() ?? []) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/status/")) await fresh(pathname).catch(() => { }); // lists of other codes, met before
    lists.delete(pathname);
  }
  const age = Date.now() - (await keptAt("/directory.jws") || 0), spare = navigator.connection?.saveData;
  const get = path => path === "/directory.jws" && (age < directoryLife || spare) || path.startsWith("/status/") && !lists.has(path) ? kept(path) : fresh(path);
  const trust = await material(get, text, true).catch(() => null);
  await serve();
  return text && trust ? verify(text, trust, new Date()).catch(() => null) : null;
}

// serve registers the worker that shows pages without the server. Where there is
// none it is said, for whoever counts on it; an address without https never has
// one, and whoever made a trial of it knows.
async function serve() {
  if (!window.isSecureContext) return;
  try {
    const worker = await navigator.serviceWorker.register("/sw.js");
    if (worker.active) worker.update().catch(() => { }); // browsers look for a newer one when they please
    await navigator.serviceWorker.ready;
    document.documentElement.dataset.offline = "ready";
  } catch {
    const where = /MicroMessenger/i.test(navigator.userAgent) ? T("微信内不能离线查验，请用系统浏览器打开", "No offline checks inside WeChat: open this page in the system's browser")
      : T("此浏览器（或其无痕模式）不能离线查验，请用系统浏览器打开", "This browser, or its private mode, makes no offline checks: open this page in the system's browser");
    document.querySelector("main .narrow")?.append(el("p", { class: "aside", id: "no-offline" }, where));
    document.documentElement.dataset.offline = "none";
  }
}
