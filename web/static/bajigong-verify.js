// Checks the QR code of a skill certificate with no server, as VerifyOffline of the
// Go package bajigong/credentials does; tests there hold the two together. For
// browsers (https or localhost, or there is no WebCrypto) and Node.js from 18 on:
//
//   const trust = await fetchTrust(origin, {lists: placeOf(text).list});
//   const verdict = await verify(text, trust, new Date());

const MAX = {scanned: 8192, token: 4096, list: 1 << 20, directory: 1 << 24, jwks: 1 << 20, bits: 1 << 20, keys: 5000, lists: 2289};
const LIST_BITS = 131072, LAST_LIST = 762, CLOCKS_DIFFER = 5 * 60e3, YEAR = 365 * 864e5;
const STATUS = ['revocation', 'suspension', 'refresh'];
const PURPOSES = ['qr', 'vc', 'status', 'decision', 'directory'];

// WORDS comes from sentences.go: go test ./credentials -run TestWordsOfTheScript -update
const WORDS = {
  reasons: {
    "wrong-registry": ["bad", "不是本系统的二维码", "Not a QR code of this system", "可能是仿冒，请举报", "It may be a forgery; please report it"],
    "bad-signature": ["bad", "二维码内容被改动", "The content of the QR code was altered", "可能是仿冒，请举报", "It may be a forgery; please report it"],
    "unknown-key": ["bad", "不是本系统的二维码", "Not a QR code of this system", "可能是仿冒，请举报；离线查验的，请先更新公钥再查", "It may be a forgery; please report it. If you check offline, first update the public keys"],
    "key-distrusted": ["bad", "签名密钥已停止信任，不能据此认定", "Signed with a key that is no longer trusted: proves nothing", "请联网查验登记记录", "Check the register online"],
    revoked: ["bad", "证书已失效（撤销、注销或已有新版本）", "No longer in force (voided, cancelled or replaced by a newer version)", "请勿采信；联网查验可知原因", "Do not rely on it; an online check tells why"],
    suspended: ["caution", "证书核查中，暂停使用", "Under review: suspended", "核查结束前请勿作为依据；可稍后再查", "Do not rely on it before the review ends; check again later"],
    superseded: ["caution", "信息已更正或补发，请以新版本为准", "Corrected or reissued: the newer version counts", "请持证人出示新证书", "Ask the holder for the new certificate"],
    "status-stale": ["unproven", "签名有效，状态清单已过期", "Issued so; the status list is out of date", "请联网查验，或更新状态清单后再查", "Check online, or update the status list and check again"],
    "status-unchecked": ["unproven", "签名有效，未查状态", "Issued so; status not checked", "只证明当时如此发证；请联网查验是否仍然有效", "This proves only that it was issued so; check online whether it is still valid"],
    valid: ["good", "证书有效", "Valid certificate", "请核对姓名和证件号码", "Compare the name and the document number with the holder"],
  },
  institutions: {
    filed: ["已备案", "filed"],
    rectifying: ["整改中", "under rectification"],
    suspended: ["已暂停", "suspended"],
    expired: ["已到期", "expired"],
    ended: ["已终止", "ended"],
    removed: ["已取消备案并移出目录", "removed from the directory"],
    exited: ["已退出", "left"],
    "": ["无记录", "not recorded"],
  },
  levels: {
    1: ["senior_technician", "一级/高级技师", "Senior technician"],
    2: ["technician", "二级/技师", "Technician"],
    3: ["senior", "三级/高级工", "Senior skilled worker"],
    4: ["intermediate", "四级/中级工", "Intermediate skilled worker"],
    5: ["junior", "五级/初级工", "Junior skilled worker"],
  },
  errors: {
    not_our_qr: ["这不是本系统证书的二维码；请扫描证书上的二维码，或粘贴其完整内容", "this is not the QR code of a certificate of this system; scan the code on the certificate, or paste its whole text"],
    bad_origin: ["站点地址应为 https:// 加小写域名，后面没有其他内容，例如 https://skills.example.org", "an origin is https:// and a lower-case host name, with nothing after it, such as https://skills.example.org"],
    bad_handle: ["证书查验码应为13位小写字母和数字，例如 7k3m9qh2c4x5t", "a certificate address ends in 13 letters and digits, such as 7k3m9qh2c4x5t"],
    bad_digits: ["数字串不是本系统二维码的内容", "these digits are not those of a QR code of this system"],
    text_too_large: ["二维码内容过长", "the text of a QR code has at most 8192 characters"],
    no_token: ["这只是查验网址；离线查验需要二维码的完整内容", "this is only the address of a certificate; without a server the whole text of the QR code is needed"],
    jws_malformed: ["不是本系统的签名内容", "this is not a signed text of this system"],
    jws_too_large: ["签名内容超过长度限制", "the signed text is longer than allowed"],
    jws_noncanonical: ["签名内容的写法不规范", "the signed text is not written in its one proper form"],
    jws_wrong_type: ["签名内容类型不符", "the signed text is of another type"],
    jws_unknown_key: ["签名密钥不明", "the signing key is not known"],
    jws_wrong_purpose: ["签名密钥用途不符", "the signing key is for another purpose"],
    jws_bad_signature: ["签名与内容不符", "the signature does not match the content"],
    jws_distrusted: ["签名密钥已停止信任", "the signing key is no longer trusted"],
    bad_key_set: ["公钥集文件不合要求", "the key set is not what it should be"],
    bad_directory: ["目录文件不合要求", "the directory is not what it should be"],
    bad_status_list: ["状态清单不合要求", "the status list is not what it should be"],
    status_list_length: ["状态清单长度不合要求", "the status list is too short"],
    status_list_not_yet_valid: ["状态清单的时间晚于本机时间，请检查本机时钟", "the status list is from the future; is the clock of this device right?"],
    unreachable: ["无法连接登记系统", "the register cannot be reached"],
    no_webcrypto: ["此浏览器仅在 https 页面中支持验签", "this browser checks signatures only on https pages"],
    no_gzip: ["浏览器版本过旧，无法读取状态清单", "this browser is too old to read status lists"],
  },
  unchecked: ["离线查验 {} · 无状态清单", "Checked offline {} · no status list"],
  checked: ["离线查验 · 状态清单更新于 {}前", "Checked offline · status list {} old"],
  standing: ["发证时 {} · 现在 {}", "at issue {} · now {}", "发证时 {} · 现在 {}（不影响本证书）", "at issue {} · now {} (this certificate is not affected)"],
  units: [["分钟", "minute"],["小时", "hour"],["天", "day"]],
};
// end of WORDS

// VerifyError: code for machines, zh and en for people, at names the material.
export class VerifyError extends Error {
  constructor(code, at = '') {
    const [zh, en] = WORDS.errors[code];
    super(en + (at && ` (${at})`));
    Object.assign(this, {name: 'VerifyError', code, zh, en, at});
  }
}

function need(ok, code, at) {
  if (!ok) throw new VerifyError(code, at);
}

const utf8 = text => new TextEncoder().encode(text);
const plain = bytes => new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes);
const isObject = x => typeof x === 'object' && x !== null && !Array.isArray(x);
const isStrings = x => Array.isArray(x) && x.every(s => typeof s === 'string');

// ---- The text of a QR code (qrtext.go) ----

// parse takes apart a whole QR text, its digits, a compact JWS, or the address
// alone: {origin, handle, token}, '' for what is not there. Nothing is verified.
export function parse(text) {
  need(typeof text === 'string', 'not_our_qr');
  need(text.length <= MAX.scanned && utf8(text).length <= MAX.scanned, 'text_too_large');
  const s = text.replace(/^\p{White_Space}+/u, '').replace(/\p{White_Space}+$/u, '');
  if (s.includes('://')) return parseAddress(s);
  const token = /^[0-9]+$/.test(s) ? fromDigits(s) : s;
  need(SHAPE.test(token), 'not_our_qr');
  return {origin: '', handle: '', token};
}

const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]+$/;

function parseAddress(s) {
  const hash = s.indexOf('#'), address = hash < 0 ? s : s.slice(0, hash), i = address.lastIndexOf('/c/');
  need(i >= 0, 'not_our_qr');
  const origin = address.slice(0, i), handle = address.slice(i + 3);
  need(isOrigin(origin), 'bad_origin');
  need(/^[0-9a-f][0-9a-hjkmnp-tv-z]{12}$/.test(handle), 'bad_handle');
  return {origin, handle, token: hash < 0 ? '' : fromDigits(s.slice(hash + 1))};
}

function fromDigits(s) {
  need(/^(?:[0-9]{2})+$/.test(s), 'bad_digits');
  const token = s.replace(/../g, two => String.fromCharCode(+two + 45));
  need(SHAPE.test(token), 'bad_digits');
  return token;
}

// isOrigin accepts the one form https://host or https://host:port (or http). An
// address that a browser would write in another way is refused with the rest.
function isOrigin(s) {
  const m = typeof s === 'string' && /^https?:\/\/(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::[1-9][0-9]*)?$/.exec(s);
  if (!m || m[1].length > 253) return false;
  if (m[1][0] !== '[' && !m[1].split('.').every(l => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(l))) return false;
  try { return new URL(s).origin === s; } catch { return false; }
}

// ---- Signed texts (jws/open.go) ----

async function webCrypto() {
  if (globalThis.crypto && crypto.subtle) return crypto.subtle;
  need(globalThis.process && process.versions && process.versions.node, 'no_webcrypto');
  return (await import('node:crypto')).webcrypto.subtle;
}

// decode reads base64url in its one canonical text.
function decode(s) {
  need(/^[\w-]*$/.test(s) && s.length % 4 !== 1, 'jws_malformed');
  const raw = atob(s.replace(/-/g, '+').replace(/_/g, '/'));
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  const tail = s.slice(s.length - s.length % 4);
  need(btoa(raw.slice(raw.length - raw.length % 3)).replace(/=/g, '').replace(/\+/g, '-').replace(/\//g, '_') === tail, 'jws_noncanonical');
  return bytes;
}

// readHeader accepts the one text of a header: no other algorithm, no key, crit,
// zip or anything else that a text might bring along.
function readHeader(bytes) {
  const m = /^\{"alg":"ES256","kid":"([\w.-]{1,32})"(?:,"typ":"([a-z0-9.+-]{1,64})")?\}$/.exec(plain(bytes));
  need(m, 'jws_malformed');
  return {kid: m[1], typ: m[2] || ''};
}

const KID = /^[\w.-]{1,32}$/;
const registryOf = kid => kid.slice(0, -2); // two characters are the serial

function json(text, code, at) {
  let value;
  try { value = JSON.parse(text); } catch { /* stays undefined */ }
  need(isObject(value), code, at);
  return value;
}

// open returns payload and key of a compact JWS made with ES256 by a key for that
// purpose. A distrusted one will do for a token, and its verdict says so.
async function open(text, keys, purpose, limit, typ, at) {
  need(typeof text === 'string', 'jws_malformed', at);
  need(text.length <= limit, 'jws_too_large', at);
  const parts = text.split('.', 4);
  need(parts.length === 3 && parts[0] && parts[1] && parts[2].length === 86, 'jws_malformed', at);
  const [head, payload, signature] = parts.map(decode);
  const header = readHeader(head), key = keys.get(header.kid);
  need(header.typ === typ, 'jws_wrong_type', at);
  if (!key) throw Object.assign(new VerifyError('jws_unknown_key', at), {kid: header.kid});
  need(key.purpose === purpose, 'jws_wrong_purpose', at);
  const signed = utf8(parts[0] + '.' + parts[1]);
  need(await (await webCrypto()).verify({name: 'ECDSA', hash: 'SHA-256'}, key.public, signature, signed), 'jws_bad_signature', at);
  need(!key.distrusted || purpose === 'qr', 'jws_distrusted', at);
  return {payload, key};
}

// readKeys joins JWK sets into kid → {kid, purpose, distrusted, public}.
async function readKeys(sets) {
  const keys = new Map();
  for (const set of sets) {
    const list = isObject(set) && Array.isArray(set.keys) ? set.keys : [];
    need(list.length > 0 && list.length <= MAX.keys && new Set(list.map(k => k && k.kid)).size === list.length, 'bad_key_set');
    for (const jwk of list) {
      const key = await readKey(jwk), before = keys.get(key.kid);
      need(!before || before.point === key.point && before.purpose === key.purpose, 'bad_key_set', key.kid);
      key.distrusted = key.distrusted || !!before && before.distrusted;
      keys.set(key.kid, key);
    }
  }
  return keys;
}

const NOT_PUBLIC = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'x5u', 'x5c', 'x5t', 'x5t#S256'];

async function readKey(jwk) {
  need(isObject(jwk) && !NOT_PUBLIC.some(name => name in jwk), 'bad_key_set');
  const {kty, crv, x, y, use, alg, kid, purpose, distrusted_from: from} = jwk;
  need(kty === 'EC' && crv === 'P-256' && use === 'sig' && alg === 'ES256' && typeof kid === 'string' && KID.test(kid), 'bad_key_set');
  need(PURPOSES.includes(purpose) && (from === undefined || time(from)), 'bad_key_set', kid);
  const subtle = await webCrypto();
  try {
    need(decode(x).length === 32 && decode(y).length === 32, 'bad_key_set');
    const key = await subtle.importKey('jwk', {kty, crv, x, y}, {name: 'ECDSA', namedCurve: 'P-256'}, false, ['verify']);
    return {kid, purpose, point: x + '.' + y, distrusted: from !== undefined, public: key};
  } catch { throw new VerifyError('bad_key_set', kid); }
}

// ---- Times: RFC 3339; civil dates are those of Asia/Shanghai ----

// time returns a Date, or null for what is none, such as 30 February.
function time(s) {
  const m = typeof s === 'string' && /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.exec(s);
  if (!m || isNaN(Date.parse(s)) || isNaN(Date.parse(m[1] + 'Z'))) return null;
  return new Date(m[1] + 'Z').toISOString().startsWith(m[1]) ? new Date(s) : null;
}

const stamp = date => date.toISOString().replace(/\.?0*Z$/, 'Z');
const local = date => new Date(+date + 8 * 36e5).toISOString();
const civilDate = date => local(date).slice(0, 10);

function clock(now) {
  if (!(now instanceof Date) || isNaN(now)) throw new TypeError('now must be a Date'); // or nothing would ever be stale
  return now;
}

// ---- Status lists and the directory (status.go, directory.go) ----

async function openList(text, keys, now) {
  const {payload} = await open(text, keys, 'status', MAX.list, 'vc+jwt', 'status');
  const vc = json(plain(payload), 'bad_status_list'), s = isObject(vc.credentialSubject) ? vc.credentialSubject : {};
  const bad = ok => need(ok, 'bad_status_list', String(vc.id));
  bad(isStrings(vc['@context']) && vc['@context'][0] === 'https://www.w3.org/ns/credentials/v2' && isStrings(vc.type));
  bad(['VerifiableCredential', 'BitstringStatusListCredential'].every(t => vc.type.includes(t)) && s.type === 'BitstringStatusList');
  bad(isOrigin(vc.issuer) && vc.iss === vc.issuer && STATUS.includes(s.statusPurpose));
  const list = +String(vc.id).slice(String(vc.id).lastIndexOf('-') + 1), {ttl = 0} = s;
  bad(list <= LAST_LIST && vc.id === `${vc.issuer}/status/${s.statusPurpose}-${list}` && Number.isInteger(ttl) && ttl >= 0 && ttl <= YEAR);
  const from = time(vc.validFrom), until = vc.validUntil ? time(vc.validUntil) : null;
  bad(from && (!vc.validUntil || until && until >= from) && typeof s.encodedList === 'string' && s.encodedList[0] === 'u');
  need(from <= +now + CLOCKS_DIFFER, 'status_list_not_yet_valid', vc.id);
  let bits;
  try { bits = await unzip(decode(s.encodedList.slice(1))); } catch (e) { bad(e.code === 'no_gzip'); throw e; }
  need(bits.length >= LIST_BITS / 8, 'status_list_length', vc.id);
  return {origin: vc.issuer, purpose: s.statusPurpose, list, from, until, ttl, bits};
}

async function unzip(packed) {
  need(globalThis.DecompressionStream, 'no_gzip');
  const bits = await collect(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip')), MAX.bits);
  // RFC 1952: the last four bytes are the length, or something follows.
  if (new DataView(packed.buffer).getUint32(packed.length - 4, true) !== bits.length) throw new RangeError();
  return bits;
}

const isSet = (l, i) => !!l && i < 8 * l.bits.length && (l.bits[i >> 3] & 0x80 >> (i & 7)) !== 0;
const DAY = /^\d{4}-\d\d-\d\d$/, OCCUPATION = /^\d-\d\d-\d\d-\d\d(@\d{4})?$/, TRADE = /^[0-9A-Za-z]{0,4}$/;

async function openDirectory(text, keys) {
  const {payload, key} = await open(text, keys, 'directory', MAX.directory, 'bajigong-directory+jws', 'directory');
  const d = json(plain(payload), 'bad_directory');
  try { return readDirectory(d, registryOf(key.kid)); } catch { throw new VerifyError('bad_directory'); }
}

// readDirectory throws anything when d is not what it should be.
function readDirectory({registry, name = '', origin, issued_at, institutions: list, occupations}, signer) {
  const bad = ok => { if (!ok) throw 0; }, filled = s => typeof s === 'string' && s !== '';
  const rising = dated => bad(dated.every((x, n) => DAY.test(x.from) && (n === 0 || dated[n - 1].from <= x.from)));
  const issued = time(issued_at), institutions = new Map();
  bad(issued && isOrigin(origin) && /^[a-z0-9]{2,3}$/.test(registry) && registry === signer && typeof name === 'string');
  for (const {prefix, names, statuses} of list || []) {
    bad(/^[A-Z][0-9A-Z]{12}$/.test(prefix) && !institutions.has(prefix) && names.length > 0 && names.every(n => filled(n.name)));
    const history = (statuses || []).map(s => ({...s, recorded: time(s.recorded)}));
    bad(history.every(s => filled(s.status) && s.recorded));
    [names, history].forEach(rising);
    institutions.set(prefix, {names, statuses: history});
  }
  for (const [code, o] of Object.entries(occupations || {})) {
    bad(OCCUPATION.test(code) && filled(o.name) && Object.entries(o.trades || {}).every(([id, trade]) => TRADE.test(id) && id && filled(trade)));
  }
  return {registry, name, origin, issued, institutions, occupations: occupations || {}};
}

const nameAt = (i, day) => i.names.filter((n, k) => k === 0 || n.from <= day).pop().name;

// What was recorded late counts from the day on which it was recorded.
function statusAt(i, day) {
  const held = i.statuses.filter(s => s.from <= day && civilDate(s.recorded) <= day);
  return held.length ? held[held.length - 1].status : '';
}

// ---- The token (token.go) ----

const NAME = /^[\p{L}\p{M}\p{N}\p{P} \u3400-\u4dbf\u4e00-\u9fff\u{20000}-\u{3fffd}]+$/u;

// readClaims accepts exactly what the register writes, by writing it again.
function readClaims(bytes) {
  need(bytes.length <= 1024, 'jws_too_large');
  const text = plain(bytes), {n, m, d, o, t, l, a, s} = json(text, 'jws_malformed');
  need(isStrings([n, m, d, o, t || '']) && [l, a, s].every(Number.isInteger), 'jws_malformed');
  const issued = String(a).replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3'), mask = [...d];
  need(/^[A-Z][0-9A-Z]{21}$/.test(n) && NAME.test(m) && m.trim() === m && !/["\\<>&]/.test(m) && utf8(m).length <= 96, 'jws_malformed');
  need(/^[0-9A-Za-z\p{Script=Han}]{2}(?:0[3-9]|[123]\d|40)$/u.test(d) && OCCUPATION.test(o) && TRADE.test(t || ''), 'jws_malformed');
  need(l >= 1 && l <= 5 && s >= 0 && s <= 99999999 && issued >= '1900' && time(issued + 'T00:00:00Z'), 'jws_malformed');
  need(JSON.stringify({n, m, d, o, t: t || undefined, l, a, s}) === text, 'jws_noncanonical');
  const document = mask[0] + '*'.repeat(d.slice(-2) - 2) + mask[1];
  return {number: n, name: m, document, occupation: o, trade: t || '', level: l, issued, status: s};
}

// placeOf says which status list a token has its place in, before anything is
// verified: only to know which lists to fetch.
export function placeOf(text) {
  const {token} = parse(text);
  need(token, 'no_token');
  const {status} = readClaims(decode(token.split('.')[1]));
  return place(status);
}

const place = status => ({list: Math.floor(status / LIST_BITS), index: status % LIST_BITS});

// ---- Trust ----

// makeTrust verifies what a check rests on: jwks, key sets as objects; directory,
// the text of /directory.jws or null; lists, texts of /status/…; origins of the
// register, when empty that of the directory. What it returns has them under the
// same names, to be kept and given to it again. Nobody signs a key set: take it
// from an address that you trust.
export async function makeTrust({jwks = [], directory = null, lists = [], origins = [], fetched = null, now}) {
  clock(now);
  need(lists.length <= MAX.lists, 'bad_status_list');
  const keys = await readKeys(jwks), status = [];
  const names = directory === null ? null : await openDirectory(directory, keys);
  for (const text of lists) status.push(await openList(text, keys, now));
  return {jwks, directory, lists, origins, fetched, keys, names, status};
}

// fetchTrust loads keys, directory and, when lists is a number, the status lists
// of that number, and makes trust of them.
export async function fetchTrust(origin, {fetch = globalThis.fetch, lists, now = new Date()} = {}) {
  const load = async (path, most, or) => {
    const r = await fetch(origin + path, {credentials: 'omit'}).catch(() => ({}));
    if (r.status === 404 && or !== undefined) return or;
    need(r.ok, 'unreachable', path);
    return plain(await collect(r.body, most).catch(() => need(false, 'unreachable', path))).trim();
  };
  const numbers = lists === undefined ? [] : [lists];
  const [qr, names, status, directory, ...texts] = await Promise.all([
    load('/keys/qr.json', MAX.jwks), load('/keys/directory.json', MAX.jwks), load('/keys/status.json', MAX.jwks), load('/directory.jws', MAX.directory, null),
    ...numbers.flatMap(n => STATUS.map(p => load(`/status/${p}-${n}`, MAX.list, ''))),
  ]);
  const jwks = [qr, names, status].map(text => json(text, 'bad_key_set'));
  return makeTrust({jwks, directory, lists: texts.filter(Boolean), fetched: now.toISOString(), now});
}

// collect reads a stream to its end, or throws when it has more than most bytes.
async function collect(stream, most) {
  const parts = [], reader = stream.getReader();
  let n = 0;
  for (let part; !(part = await reader.read()).done; parts.push(part.value)) {
    if ((n += part.value.length) > most) { reader.cancel().catch(() => {}); throw new RangeError(); }
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// age says how old things are: {keys, directory, lists: [{purpose, list, stale, …}]},
// each with seconds and words in zh and en, null for what is not there.
export function age(trust, now) {
  const of = at => at && {seconds: Math.max(0, Math.floor((clock(now) - at) / 1e3)), ...ageWords(now - at)};
  return {
    keys: of(time(trust.fetched)), directory: of(trust.names && trust.names.issued),
    lists: trust.status.map(l => ({purpose: l.purpose, list: l.list, stale: isStale(l, now), ...of(l.from)})),
  };
}

function ageWords(ms) {
  const i = ms < 36e5 ? 0 : ms < 48 * 36e5 ? 1 : 2, n = Math.max(0, Math.floor(ms / [6e4, 36e5, 864e5][i]));
  const [zh, en] = WORDS.units[i];
  return {zh: `${n} ${zh}`, en: `${n} ${en}${n === 1 ? '' : 's'}`};
}

const isStale = (l, now) => !!l.until && now > l.until;

// ---- The verdict (offline.go, verdict.go) ----

// verify answers with the JSON of a Go Verdict, and basis: how it was checked. It
// throws a VerifyError when text is nothing of a register's making.
export async function verify(text, trust, now) {
  const scanned = parse(text), found = [], origins = originsOf(trust);
  need(scanned.token, 'no_token');
  const v = {checked_at: stamp(new Date(Math.floor(clock(now) / 1e3) * 1e3)), online: false};
  if (scanned.handle) v.handle = scanned.handle;
  if (scanned.origin && origins.length && !origins.includes(scanned.origin)) found.push('wrong-registry');
  try {
    const {payload, key} = await open(scanned.token, trust.keys, 'qr', MAX.token, '');
    const c = readClaims(payload);
    if (key.distrusted) found.push('key-distrusted');
    v.key = key.kid;
    describe(v, c, trust.names && trust.names.registry === registryOf(key.kid) ? trust.names : null, now);
    found.push(...statusOf(v, place(c.status), trust, now));
  } catch (e) { found.push(refusal(e, trust)); }
  return decide(v, found);
}

const originsOf = trust => trust.origins.length || !trust.names ? trust.origins : [trust.names.origin];

function refusal(e, trust) {
  if (!(e instanceof VerifyError) || !e.code.startsWith('jws_')) throw e; // not the token's fault
  if (e.code === 'jws_wrong_purpose') return 'unknown-key';
  if (e.code !== 'jws_unknown_key') return 'bad-signature';
  const ours = [...trust.keys.keys()].map(registryOf).concat(trust.names ? trust.names.registry : []);
  return ours.includes(registryOf(e.kid)) ? 'unknown-key' : 'wrong-registry';
}

// describe says what the paper should show, with names where the directory has them.
function describe(v, c, names, now) {
  const o = names && names.occupations[c.occupation], i = names && names.institutions.get(c.number.slice(0, 13));
  const [level, level_zh, level_en] = WORDS.levels[c.level];
  v.certificate = {
    number: c.number, number_grouped: c.number.replace(/^(.)(.{4})(..)(.{6})(..)(.)/, '$1 $2 $3 $4 $5 $6 '), name: c.name, document: c.document,
    occupation_code: c.occupation, occupation: o ? o.name : '', trade: o && o.trades && o.trades[c.trade] || c.trade || '--',
    level, level_zh, level_en, issued: c.issued,
  };
  if (!i) return;
  const today = civilDate(now), at = c.issued;
  v.institution = {prefix: c.number.slice(0, 13), name: nameAt(i, at), name_now: nameAt(i, today), status_at_issue: statusAt(i, at), status_now: statusAt(i, today)};
}

function statusOf(v, {list, index}, trust, now) {
  const origins = originsOf(trust), found = [];
  const [revocation, suspension, refresh] = STATUS.map(p => trust.status
    .filter(l => l.purpose === p && l.list === list && (!origins.length || origins.includes(l.origin)))
    .reduce((a, b) => a && a.from >= b.from ? a : b, null));
  if (isSet(revocation, index)) found.push(isSet(refresh, index) ? 'superseded' : 'revoked');
  if (isSet(suspension, index)) found.push('suspended');
  if (!revocation || !suspension) return [...found, 'status-unchecked'];
  v.status_checked = stamp(new Date(Math.min(revocation.from, suspension.from)));
  return isStale(revocation, now) || isStale(suspension, now) ? [...found, 'status-stale'] : found;
}

// decide puts the gravest reason first and says it in words.
function decide(v, found) {
  const reasons = Object.keys(WORDS.reasons).filter(r => found.includes(r));
  if (!reasons.length) reasons.push('valid');
  const valid = ['valid', 'status-stale', 'status-unchecked'].includes(reasons[0]);
  const [band, zh, en, nextZH, nextEN] = WORDS.reasons[reasons[0]], checked = new Date(v.checked_at);
  const [basis, gap] = v.status_checked ? [WORDS.checked, ageWords(checked - new Date(v.status_checked))] : [WORDS.unchecked, local(checked).slice(0, 16).replace('T', ' ')];
  return {valid, reasons, ...v, band, text: {zh, en}, next: {zh: nextZH, en: nextEN}, basis: {zh: fill(basis[0], gap.zh || gap), en: fill(basis[1], gap.en || gap)}};
}

const fill = (pattern, ...values) => values.reduce((s, value) => s.replace('{}', () => value), pattern);

// sentence is what one reason says, for those after the first.
export function sentence(reason) {
  const [, zh, en] = WORDS.reasons[reason];
  return {zh, en};
}

// standing is the line under the institution's name, at issue and now; null
// when nothing is known of it.
export function standing(verdict) {
  const i = verdict.institution;
  if (!i || !i.status_at_issue && !i.status_now) return null;
  const unaffected = verdict.valid && i.status_at_issue === 'filed' && i.status_now !== 'filed' && i.status_now !== '';
  const say = n => fill(WORDS.standing[n + (unaffected ? 2 : 0)], ...[i.status_at_issue, i.status_now].map(s => (WORDS.institutions[s] || [s, s])[n]));
  return {zh: say(0), en: say(1)};
}
