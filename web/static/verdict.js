// Beside a verdict of the server: check the signature of the code in this
// browser and compare what it says with what the server said. The server never
// sees the part of the address after '#', so a page that was made up, a code
// that was altered, and the code of one certificate under the address of another
// all show here.
import { T, copy, el, idle, origin } from "./page.js";
import { check, prepare } from "./trust.js";

const article = document.querySelector("article.verdict[data-facts]");

// scanned is the text of the code: the address of this page, or what was pasted.
function scanned() {
  if (/^\/c\/[^/]+$/.test(location.pathname)) return location.hash.length > 1 ? origin + location.pathname + location.hash : "";
  const pasted = document.getElementById("code")?.value.trim() || "";
  return /^https?:\/\/[^#]*$/.test(pasted) ? "" : pasted;
}

const names = {
  name: T("姓名", "name"), document: T("证件号码", "document"), number: T("证书编号", "number"), occupation_code: T("职业", "occupation"),
  trade: T("工种", "trade"), level: T("等级", "level"), issued: T("发证日期", "date of issue"),
};

// differences are the facts in which the code and the register differ. A trade
// that has no name here is known by its code alone and not compared; a
// certificate of elsewhere shows the number of its paper.
function differences(server, code) {
  const named = t => t === "--" || /[^0-9A-Za-z]/.test(t);
  return Object.keys(names).filter(key => {
    if (key === "number" && server.origin) return false;
    if (key === "trade" && !(named(server.trade) && named(code.trade))) return (server.trade === "--") !== (code.trade === "--");
    return server[key] !== code[key];
  });
}

function quiet(...text) {
  article.querySelector(".local").replaceChildren(...text);
}

// alarm takes the place of the verdict. What is registered stays at hand, folded:
// it must not be taken for what this paper says.
function alarm(band, say, next, why) {
  const top = article.querySelector(".band");
  top.className = "band " + band;
  top.setAttribute("role", "alert");
  top.querySelector(".shape").replaceWith(copy("shape-" + band));
  top.querySelector("h1").textContent = say;
  top.querySelector(".do").textContent = next;
  document.title = say + " · " + document.title.split(" · ").pop();
  for (const gone of article.querySelectorAll(".forged, .also")) gone.remove();
  top.after(el("p", { class: "notice " + (band === "bad" ? "bad" : ""), id: "why" }, ...why));
  quiet();
  const sheet = article.querySelector(".sheet");
  if (!sheet) return;
  const fold = el("details", { class: "proof" }, el("summary", {}, T("本网址登记的内容（与二维码不是一回事）", "What is registered at this address (not what the code says)")));
  sheet.replaceWith(fold);
  fold.append(sheet);
  for (const more of article.querySelectorAll(".match, .papers, .receipt")) more.hidden = true;
}

// report is the way to report a forgery, when the footer has one.
function report() {
  const link = document.getElementById("report")?.cloneNode(true);
  link?.removeAttribute("id");
  return link ? [" ", link] : [];
}

function compare(server, local) {
  const reason = local.reasons[0];
  if (["bad-signature", "unknown-key", "wrong-registry"].includes(reason)) {
    if (["bad-signature", "unknown-key", "wrong-registry"].includes(server.reasons[0])) return; // said already
    const why = reason === "bad-signature"
      ? T("二维码里的签名与内容不符：签名之后内容被改过。", "The signature in the code does not fit its content: it was changed after it was signed.")
      : T("二维码里的签名不是本系统的密钥所签。", "The signature in the code was not made with a key of this register.");
    return alarm("bad", T(local.text.zh, local.text.en), T("可能是仿冒，请举报", "It may be a forgery; please report it"), [why, ...report()]);
  }
  if (!local.certificate) return;
  if (!server.certificate) {
    return quiet(T("二维码签名已在本机核对；登记中没有可以对照的内容", "The signature in the code was checked here; the register has nothing to compare it with"));
  }
  const other = differences(server.certificate, local.certificate);
  if (other.length > 0) {
    return alarm("bad", T("二维码内容被改动", "The content of the QR code was altered"), T("可能是仿冒，请举报", "It may be a forgery; please report it"), [
      T("二维码里的签名属于另一份证书，与本网址登记的不一致：", "The signature in the code belongs to another certificate; it differs from what is registered at this address in: "),
      other.map(key => names[key]).join(T("、", ", ")) + T("。", "."), ...report()]);
  }
  // A revocation bit is never taken back. A code that has one, where the address
  // leads to a version without, is the code of an older version.
  if (["superseded", "revoked"].includes(reason) && ["valid", "not-yet-published"].includes(server.reasons[0])) {
    return alarm("caution", T("信息已更正或补发，请以新版本为准", "Corrected or reissued: the newer version counts"), T("请持证人出示新证书", "Ask the holder for the new certificate"),
      [T("二维码里的签名属于这份证书的旧版本，网址是新版本的。", "The signature in the code is that of an older version of this certificate, the address that of a newer one.")]);
  }
  if (local.reasons.includes("key-distrusted")) {
    return quiet(T("二维码内容与登记一致；签名密钥已停止信任，以登记为准", "The code agrees with the register; the key that signed it is no longer trusted, so the register alone counts"));
  }
  quiet(el("span", { class: "tick", "aria-hidden": "true" }, "✓ "), T("二维码签名已在本机核对，与登记一致", "The signature in the code was checked in this browser and agrees with the register"));
}

async function main() {
  const text = scanned();
  if (!text) {
    if (article) quiet(T("只打开了网址，没有二维码里的签名，未在本机核对；扫描二维码可一并核对", "Only the address was opened, without the signature in the code: nothing was checked in this browser. Scan the code to have both"));
  } else if (article) {
    try {
      const local = await check(text);
      compare(JSON.parse(article.dataset.facts), local);
    } catch (e) {
      if (e.code === "no-check") quiet(T("此浏览器不能在本机核对签名；以上是服务器的结论", "This browser cannot check signatures; the above is what the server says"));
      else if (e.code === "no-keys") quiet(T("没有取到公钥，未在本机核对签名；以上是服务器的结论", "The public keys did not arrive, so the signature was not checked here; the above is what the server says"));
      else alarm("bad", T("二维码内容被改动", "The content of the QR code was altered"), T("可能是仿冒，请举报", "It may be a forgery; please report it"),
        [T("网址 # 后面的内容不是本系统二维码的内容。", "What follows # in the address is not the content of a code of this register."), ...report()]);
    }
  }
  document.documentElement.dataset.checked = "";
  performance.mark("checked");
  const print = el("button", { type: "button", class: "second small" }, T("打印", "Print"));
  print.addEventListener("click", () => window.print());
  article?.querySelector(".receipt")?.append(print);
  idle(async () => {
    const local = await prepare(text);
    if (local && article && !document.getElementById("why")) compare(JSON.parse(article.dataset.facts), local);
    document.documentElement.dataset.prepared = "";
  });
}

main();
