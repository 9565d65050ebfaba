// The page that the service worker shows when the server cannot be reached: the
// verdict that the signature and what this browser has kept allow, with its age
// and its limits. No word of it comes from the server.
import { T, civil, copy, origin } from "./page.js";
import { check, keptAt } from "./trust.js";
import { reader } from "./reader.js";
import { sentence, standing } from "./bajigong-verify.js";

const place = document.getElementById("verdict");

const both = words => T(words.zh, words.en);

async function limits(v) {
  const out = [];
  if (v.status_checked) {
    const as = civil(Date.parse(v.status_checked));
    out.push(T(`${as} 之后的撤销、注销、暂停查不到`, `Nothing is known of what was voided, cancelled or suspended after ${as}`));
  } else if (v.certificate) {
    out.push(T("本机没有这份证书的状态清单：只证明当时如此发证，是否仍然有效查不到", "The status list of this certificate is not in this browser: the signature proves that it was issued so, not that it is still valid"));
  }
  if (v.certificate && !v.certificate.occupation) {
    out.push(T("本机没有目录：职业、工种和机构只有代码", "The directory is not in this browser: occupation, trade and institution have codes only"));
  }
  const keys = await keptAt("/keys/qr.json");
  if (keys) out.push(T(`公钥保存于 ${civil(keys)}`, `The public keys are those of ${civil(keys)}`));
  return out;
}

async function show(v) {
  const article = copy("sheet"), part = name => article.querySelector(`[data-${name}]`);
  const band = article.querySelector(".band"), c = v.certificate, i = v.institution;
  band.classList.add(v.band);
  band.prepend(copy("shape-" + v.band));
  part("say").textContent = both(v.text);
  part("next").textContent = both(v.next);
  part("basis").textContent = both(v.basis);
  part("again").href = location.href;
  part("again").addEventListener("click", event => { event.preventDefault(); location.reload(); });
  part("also").append(...v.reasons.slice(1).map(reason => item(both(sentence(reason)))));
  if (!part("also").childElementCount) part("also").remove();
  part("limits").append(...(await limits(v)).map(item));
  if (!c) {
    part("certificate").remove();
  } else {
    part("heading").textContent = v.valid ? T("请与纸质证书和持证人核对", "Compare with the paper and its holder") : T("二维码中的内容", "What the code says");
    for (const fact of article.querySelectorAll("[data-fact]")) fact.textContent = c[fact.dataset.fact];
    part("level").textContent = T(c.level_zh.replaceAll("/", " / "), c.level_en);
    part("number").append(...c.number_grouped.split(" ").map(text => Object.assign(document.createElement("span"), { textContent: text })));
    if (i) {
      part("issuer").textContent = i.name;
      part("standing").textContent = i.status_at_issue || i.status_now ? both(standing(v)) : "";
    } else {
      part("institution").remove();
    }
  }
  place.replaceChildren(article);
  document.title = part("say").textContent + " · " + document.title.split(" · ").pop();
}

const item = text => Object.assign(document.createElement("li"), { textContent: text });

function state(text) {
  document.getElementById("state").textContent = text;
}

// missing says what would be needed, when nothing can be said of a code.
const missing = {
  "no-keys": T("没有连上服务器，本机也没有保存公钥，无法离线查验。请联网打开一次查验页，以后即可离线查验。",
    "The server cannot be reached, and this browser has no public keys: nothing can be checked. Open a page of this site once with a network; codes can be checked offline after that."),
  "no-check": T("没有连上服务器，此浏览器也不能核对签名（需要 https 网址和较新的浏览器）。", "The server cannot be reached, and this browser cannot check signatures (that needs an https address and a newer browser)."),
};

// found checks a text and shows the verdict; false when it is no code.
async function found(text) {
  try {
    await show(await check(text, { offline: true }));
    place.scrollIntoView();
    return "";
  } catch (e) {
    if (missing[e.code]) return missing[e.code];
    return T("这不是本系统证书二维码的完整内容。请扫描证书上的二维码，或粘贴其完整内容。", "This is not the whole content of a code of this register. Scan the code on the certificate, or paste all of it.");
  }
}

async function main() {
  reader({ found, offline: true });
  const opened = /^\/c\/[^/]+$/.test(location.pathname);
  if (opened && location.hash.length > 1) {
    const problem = await found(origin + location.pathname + location.hash);
    if (problem) state(problem);
  } else if (opened) {
    state(T("没有连上服务器，而打开的只是网址：离线查验需要二维码的完整内容。请再扫一次二维码，或联网后重试。",
      "The server cannot be reached, and only an address was opened: offline the whole content of the code is needed. Scan the code again, or try again with a network."));
  } else if (await keptAt("/keys/qr.json")) {
    state(T("没有连上服务器。仍可用本机保存的公钥、目录和状态清单查验二维码。", "The server cannot be reached. Codes can still be checked with the keys, the directory and the status lists that this browser has kept."));
  } else {
    state(missing["no-keys"]);
  }
  document.documentElement.dataset.checked = "";
  // Back on the network the server knows more than what was kept.
  addEventListener("online", () => location.reload());
}

main();
