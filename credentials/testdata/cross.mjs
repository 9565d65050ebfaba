// Runs bajigong-verify.js over a corpus, in node or in a browser:
// {"trusts": [{jwks, directory, lists, origins, now}], "cases": [{trust, text}],
//  "flips": [{trust, part, text, every}], "places": [text],
//  "runes": whether to try every character in a name and in a masked number}
Error.stackTraceLimit = 0;

const base64url = text => btoa(String.fromCharCode(...new TextEncoder().encode(text))).replace(/=/g, '').replace(/\+/g, '-').replace(/\//g, '_');

// Whatever is no VerifyError is a fault of the module and ends the run.
async function outcome(work) {
  try { return await work(); } catch (e) {
    if (e.name !== 'VerifyError' || !e.zh || !e.en) throw e;
    return {error: e.code};
  }
}

export async function run({makeTrust, verify, placeOf, standing}, corpus) {
  const trusts = [], answers = [], flips = [], places = [], runes = {name: [], mask: []};
  for (const t of corpus.trusts || []) trusts.push(await outcome(() => makeTrust({...t, now: new Date(t.now)})));
  for (const {trust, text} of corpus.cases || []) {
    const t = trusts[trust], now = new Date(corpus.trusts[trust].now);
    answers.push(t.error ? t : await outcome(async () => {
      const v = await verify(text, t, now);
      return {verdict: v, standing: standing(v)};
    }));
  }
  // Every flip of one bit of a part of a trust, or each of so many, the rest unchanged.
  for (const {trust, part, text, every} of corpus.flips || []) {
    const codes = [], t = corpus.trusts[trust];
    for (let bit = 0; bit < 8 * text.length; bit += every) {
      const i = bit >> 3, changed = text.slice(0, i) + String.fromCharCode(text.charCodeAt(i) ^ 1 << (bit & 7)) + text.slice(i + 1);
      const material = part === 'directory' ? {...t, directory: changed} : {...t, lists: [changed]};
      const got = await outcome(() => makeTrust({...material, now: new Date(t.now)}));
      codes.push(got.error || 'accepted');
    }
    flips.push(codes);
  }
  for (const text of corpus.places || []) places.push(await outcome(async () => placeOf(text)));
  // The characters that a name, and a masked number, may have: as ranges.
  for (let r = 0; corpus.runes && r <= 0x10ffff; r++) {
    if (r >= 0xd800 && r < 0xe000 || r > 0x20010 && r % 61) continue;
    const c = String.fromCodePoint(r);
    for (const [what, m, d] of [['name', 'A' + c + 'A', '3X18'], ['mask', 'A', c + 'X18']]) {
      const claims = JSON.stringify({n: 'S000032058300253000001', m, d, o: '6-31-01-03', l: 3, a: 20250630, s: 1});
      try { placeOf('x.' + base64url(claims) + '.x'); } catch { continue; }
      const last = runes[what][runes[what].length - 1];
      if (last && last[1] === r - 1) last[1] = r; else runes[what].push([r, r]);
    }
  }
  return {trusts: trusts.map(t => t.error || ''), answers, flips, places, runes};
}

// node cross.mjs module corpus: the answers as JSON.
if (globalThis.process && process.argv[2]) {
  const {readFileSync} = await import('node:fs'), {pathToFileURL} = await import('node:url');
  console.log(JSON.stringify(await run(await import(pathToFileURL(process.argv[2])), JSON.parse(readFileSync(process.argv[3], 'utf8')))));
}
