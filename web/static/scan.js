// The page /verify: read a code, then go where it is shown.
import { href, idle, origin } from "./page.js";
import { prepare, scan } from "./trust.js";
import { reader } from "./reader.js";

const input = document.getElementById("code");

// found opens the page of a code of this register, with the signature after '#',
// where it is checked in the browser too. Anything else is for the server to say.
function found(text) {
  const code = scan(text);
  if (code && code.origin === origin && code.handle && code.token) {
    location.assign(href("/c/" + code.handle) + text.slice(text.indexOf("#")));
  } else {
    input.value = text;
    input.form.requestSubmit();
  }
  return "";
}

reader({ found });
if (/^#\d{300,}$/.test(location.hash)) {
  const digits = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  found(digits);
}
if (!document.querySelector("article.verdict")) {
  idle(async () => {
    await prepare("");
    document.documentElement.dataset.prepared = "";
  });
}
