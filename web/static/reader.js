// Read codes on the page: with the camera, from a picture, from what is pasted.
// Every control is made here, so that a page without script shows none that does
// nothing. Where the browser reads no codes, the server does (POST
// /api/v1/verify/image); offline it cannot, and the page says so.
import { T, el } from "./page.js";

const card = document.getElementById("camera"), form = card?.parentElement.querySelector("form");
const input = document.getElementById("code"), picture = document.getElementById("image");

// A square of the picture's middle is sent: the code is there, and a frame of
// 800 pixels has 10 of them for each module of the densest code held 10 cm away.
const side = 800, quality = .75;
const pause = { server: 700, here: 150 }; // ms between two frames
const giveUp = 60e3;

let detector;

// detect is the browser's own reader of codes, null where there is none.
async function detect() {
  if (detector !== undefined) return detector;
  detector = null;
  try {
    if ((await BarcodeDetector.getSupportedFormats()).includes("qr_code")) detector = new BarcodeDetector({ formats: ["qr_code"] });
  } catch { }
  return detector;
}

const wait = ms => new Promise(resolve => setTimeout(resolve, ms));

// square draws the middle of a picture, or all of it, as a JPEG no larger than
// most.
function jpeg(source, width, height, middle, most) {
  const w = middle ? Math.min(width, height) : width, h = middle ? w : height, scale = Math.min(1, most / Math.max(w, h));
  const canvas = el("canvas", { width: Math.round(w * scale), height: Math.round(h * scale) });
  canvas.getContext("2d").drawImage(source, (width - w) / 2, (height - h) / 2, w, h, 0, 0, canvas.width, canvas.height);
  return new Promise(resolve => canvas.toBlob(resolve, "image/jpeg", quality));
}

// ask lets the server read a picture. It answers the text, "" for none, and
// waits where the server asks for it.
async function ask(blob, signal) {
  const answer = await fetch("/api/v1/verify/image", { method: "POST", body: blob, headers: { "Content-Type": blob.type }, signal });
  if (answer.status === 429) {
    await wait(1000 * Math.min(30, +answer.headers.get("retry-after") || 5));
    return "";
  }
  if (!answer.ok) throw new Error("picture: " + answer.status);
  return (await answer.json()).text || "";
}

/**
 * reader makes the controls. found gets the text of a code and answers what is
 * wrong with it, "" when nothing is.
 */
export function reader({ found, offline }) {
  if (!card) return;
  const say = el("p", { role: "status", class: "hint" });
  const open = el("button", { type: "button" }, T("打开相机扫码", "Scan with the camera"));
  const close = el("button", { type: "button", class: "second" }, T("关闭相机", "Close the camera"));
  const video = el("video", { muted: "", playsinline: "", "aria-label": T("相机画面", "What the camera sees") });
  const view = el("div", { class: "finder" }, video);
  let stop = null;

  async function take(text) {
    const problem = await found(text);
    const bad = document.getElementById("code-bad");
    if (bad && offline) { bad.textContent = problem; bad.hidden = !problem; }
    else if (problem) say.textContent = problem;
  }

  function ended() {
    stop?.();
    stop = null;
    view.remove();
    close.replaceWith(open);
  }

  async function look(stream, signal) {
    const here = await detect(), until = Date.now() + giveUp;
    while (!signal.aborted && Date.now() < until) {
      let text = "";
      try {
        text = here ? (await here.detect(video))[0]?.rawValue : await ask(await jpeg(video, video.videoWidth, video.videoHeight, true, side), signal);
      } catch (e) {
        if (signal.aborted) return;
        say.textContent = T("没有连上服务器，稍后再试…", "The server does not answer; trying again…");
        await wait(3000);
      }
      if (signal.aborted) return;
      if (text) {
        ended();
        say.textContent = T("已识读", "Read");
        return take(text);
      }
      await wait(here ? pause.here : pause.server);
    }
    if (signal.aborted) return;
    ended();
    say.textContent = T("一分钟内没有识读到二维码。请靠近、放平、补光后再试，或拍照上传。", "No code was read in a minute. Go closer, hold it flat, give it light and try again, or upload a photograph.");
  }

  open.addEventListener("click", async () => {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } } });
    } catch (e) {
      say.textContent = e.name === "NotAllowedError"
        ? T("没有使用相机的权限。请在浏览器设置中允许，或改为拍照上传。", "The camera is not allowed. Allow it in the settings of the browser, or upload a photograph.")
        : T("没有可用的相机。请改为上传图片或粘贴内容。", "There is no camera to use. Upload a picture or paste the content.");
      return;
    }
    const end = new AbortController();
    stop = () => { end.abort(); stream.getTracks().forEach(track => track.stop()); };
    video.srcObject = stream;
    open.replaceWith(close);
    close.before(view);
    await video.play().catch(() => { });
    say.textContent = await detect() ? T("请把整个二维码放进画面", "Hold the whole code in the picture")
      : T("请把整个二维码放进画面中央；画面传到本站识读，不保存", "Hold the whole code in the middle; the picture is read by this site and not kept");
    look(stream, end.signal);
  });
  close.addEventListener("click", ended);
  document.addEventListener("visibilitychange", () => { if (document.hidden && stop) ended(); });

  // fromPicture reads a photograph: here, then at the server in the size that it
  // reads best; the form sends all of it when that was not enough.
  async function fromPicture(file) {
    let text = "";
    try {
      const bitmap = await createImageBitmap(file), here = await detect();
      text = here && (await here.detect(bitmap))[0]?.rawValue;
      if (!text && !offline) text = await ask(await jpeg(bitmap, bitmap.width, bitmap.height, false, 1600));
    } catch { }
    if (text) return take(text);
    if (offline) say.textContent = T("没有识读到二维码", "No code was read");
    else if (picture?.files.length) form.requestSubmit();
    else say.textContent = T("图片中没有识读到二维码", "No code was read in the picture");
  }
  picture?.addEventListener("change", () => { if (picture.files.length) fromPicture(picture.files[0]); });

  // What is pasted is taken at once when it is the whole content of a code.
  document.addEventListener("paste", event => {
    const file = [...event.clipboardData.files].find(f => f.type.startsWith("image/"));
    const text = event.clipboardData.getData("text").trim();
    if (file) fromPicture(file);
    else if (/^(https?:\/\/\S+\/c\/\S+#\d{300,}|\d{300,}|eyJ[\w-]+\.[\w-]+\.[\w-]+)$/.test(text) && event.target.tagName !== "INPUT") {
      event.preventDefault();
      input.value = text;
      take(text);
    }
  });
  form.addEventListener("submit", event => {
    if (!offline) return;
    event.preventDefault();
    take(input.value.trim());
  });

  // The camera is offered where codes can be read: by this browser, or by the
  // server.
  detect().then(here => {
    if (!navigator.mediaDevices?.getUserMedia) return;
    if (here || !offline) {
      card.append(open, say);
      form.querySelector("button").className = "second"; // one thing at a time is the first to do
    } else {
      card.append(el("p", { class: "hint" }, T("离线时此浏览器不能识读图片：请用手机相机扫码，再用本浏览器打开其中的网址。", "Offline this browser reads no pictures: scan the code with the phone's camera and open its address in this browser.")));
    }
  });
}
