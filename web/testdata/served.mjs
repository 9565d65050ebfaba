// Checks what a running register serves with parts that are not ours: npm jose
// against the served key sets, @digitalbazaar's status list decoder, and a
// JSON-LD processor with the W3C's own context. Arguments: the address of the
// server, the origin of the register, a handle; the QR token on standard input.
// Success prints "ok".
import {createRemoteJWKSet, compactVerify, jwtVerify} from 'jose';
import {decodeList} from '@digitalbazaar/vc-bitstring-status-list';
import {named} from '@digitalbazaar/credentials-context';
import jsonld from 'jsonld';
import assert from 'node:assert/strict';

const [base, origin, handle] = process.argv.slice(2);
let token = '';
for await (const part of process.stdin) token += part;

const here = url => {
  assert.ok(url.startsWith(origin + '/'), url);
  return base + url.slice(origin.length);
};
const text = async (url, accept = '*/*') => {
  const r = await fetch(url, {headers: {accept}});
  assert.equal(r.status, 200, url);
  return {body: await r.text(), type: r.headers.get('content-type')};
};
const keys = path => createRemoteJWKSet(new URL(base + path));
const options = {algorithms: ['ES256']};
const json = bytes => JSON.parse(new TextDecoder().decode(bytes));

// The QR token.
const qr = await compactVerify(token, keys('/keys/qr.json'), options);
assert.equal(qr.protectedHeader.typ, undefined);

// The credential, by content negotiation, as a JWT under the well-known set.
const served = await text(`${base}/c/${handle}`, 'application/vc+jwt');
assert.equal(served.type, 'application/vc+jwt');
const wellKnown = keys('/.well-known/jwks.json');
const {payload: vc} = await jwtVerify(served.body, wellKnown, {...options, typ: 'vc+jwt', issuer: origin});
assert.equal(vc.iss, vc.issuer);
assert.equal(vc.id, `${origin}/c/${handle}`);
assert.equal(vc.credentialSubject.certificate.number, json(qr.payload).n);
await jwtVerify(served.body, keys('/keys/vc.json'), options);
await assert.rejects(compactVerify(served.body, keys('/keys/qr.json'), options));
await assert.rejects(compactVerify(served.body.replace(/\.(.)/, (_, c) => '.' + (c === 'f' ? 'e' : 'f')), wellKnown, options));
await assert.rejects(compactVerify(token, wellKnown, options));

// Its status, by following its own entries.
for (const entry of vc.credentialStatus) {
  const list = await jwtVerify((await text(here(entry.statusListCredential))).body, wellKnown, {...options, typ: 'vc+jwt', issuer: vc.issuer});
  assert.equal(list.payload.id, entry.statusListCredential);
  assert.equal(list.payload.credentialSubject.statusPurpose, entry.statusPurpose);
  const bits = await decodeList({encodedList: list.payload.credentialSubject.encodedList});
  assert.equal(bits.getStatus(Number(entry.statusListIndex)), false);
}

// The directory knows the institution.
const directory = json((await compactVerify((await text(base + '/directory.jws')).body, keys('/keys/directory.json'), options)).payload);
assert.equal(directory.origin, origin);
assert.ok(directory.institutions.some(i => i.prefix === vc.credentialSubject.certificate.institution.numberPrefix));

// JSON-LD, in safe mode: any member or type that no context defines is an error.
const contexts = new Map([...named.values()].map(c => [c.id, c.context]));
const documentLoader = async url => {
  const document = contexts.get(url) ?? JSON.parse((await text(here(url))).body);
  return {contextUrl: null, documentUrl: url, document};
};
const [node] = await jsonld.expand(vc, {safe: true, documentLoader});
const one = (n, term) => { assert.equal(n[term]?.length, 1, term); return n[term][0]; };
assert.deepEqual(node['@type'], ['https://www.w3.org/2018/credentials#VerifiableCredential', 'urn:bajigong:certificate:SkillCertificateCredential']);
const holder = one(node, 'https://www.w3.org/2018/credentials#credentialSubject');
const paper = one(holder, 'urn:bajigong:certificate:certificate');
assert.equal(one(holder, 'https://schema.org/name')['@value'], vc.credentialSubject.name);
assert.equal(one(paper, 'urn:bajigong:certificate:number')['@value'], vc.credentialSubject.certificate.number);
assert.equal(one(node, 'https://www.iana.org/assignments/jose#iss')['@id'], origin);
assert.equal(node['https://www.w3.org/2018/credentials#credentialStatus'].length, 3);
const level = one(paper, 'urn:bajigong:certificate:level')['https://schema.org/name'];
assert.deepEqual(level.map(n => n['@language']).sort(), ['en', 'zh-cn']);
await assert.rejects(jsonld.expand({...vc, undefinedTerm: 1}, {safe: true, documentLoader}), e => e.name === 'jsonld.ValidationError');
// Our terms are protected: a later context cannot give them another meaning.
const later = {...vc, '@context': [...vc['@context'], {CertificateHolder: 'urn:x'}]};
await assert.rejects(jsonld.expand(later, {safe: true, documentLoader}), e => e.details.code === 'protected term redefinition');
console.log('ok');
