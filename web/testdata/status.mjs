// Checks the status lists as they are served with parts that are not ours: npm
// jose verifies each against the served key set, and @digitalbazaar's decoder
// reads the bits. Input is one JSON object on standard input: keys (a JWK set)
// and lists [{text, id, purpose, set, validFrom, validUntil, ttl}]; success
// prints "ok".
import {createLocalJWKSet, compactVerify} from 'jose';
import {decodeList} from '@digitalbazaar/vc-bitstring-status-list';
import assert from 'node:assert/strict';

let text = '';
for await (const part of process.stdin) text += part;
const input = JSON.parse(text);
const keys = createLocalJWKSet(input.keys);
const options = {algorithms: ['ES256']};
const instant = s => new Date(s).getTime();

for (const want of input.lists) {
  const {payload, protectedHeader} = await compactVerify(want.text, keys, options);
  assert.equal(protectedHeader.typ, 'vc+jwt');
  const vc = JSON.parse(new TextDecoder().decode(payload));
  const subject = vc.credentialSubject;
  assert.equal(vc.id, want.id);
  assert.equal(vc.iss, vc.issuer);
  assert.ok(vc.id.startsWith(vc.issuer + '/status/'));
  assert.ok(vc.type.includes('BitstringStatusListCredential'));
  assert.equal(subject.type, 'BitstringStatusList');
  assert.equal(subject.statusPurpose, want.purpose);
  assert.equal(subject.ttl, want.ttl);
  assert.equal(instant(vc.validFrom), instant(want.validFrom));
  assert.equal(instant(vc.validUntil), instant(want.validUntil));
  const bits = await decodeList({encodedList: subject.encodedList});
  assert.equal(bits.length, 131072);
  const set = [];
  for (let i = 0; i < bits.length; i++) if (bits.getStatus(i)) set.push(i);
  assert.deepEqual(set, want.set, want.id);
  const dot = want.text.indexOf('.') + 10;
  const altered = want.text.slice(0, dot) + (want.text[dot] === 'f' ? 'e' : 'f') + want.text.slice(dot + 1);
  await assert.rejects(compactVerify(altered, keys, options));
}
console.log('ok');
